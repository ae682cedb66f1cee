/** Where traces, metrics and logs are sent. Loads nothing of OpenTelemetry. */

export type Failed = (error: unknown, during: string) => void;
export type Signal = "traces" | "metrics" | "logs";

export interface OtlpSettings {
  readonly endpoint?: string;
  readonly tracesEndpoint?: string;
  readonly metricsEndpoint?: string;
  readonly logsEndpoint?: string;
  readonly protocol: "http/protobuf" | "http/json";
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutS: number;
  readonly serviceName: string;
  readonly resource: Readonly<Record<string, string>>;
}

interface Switches extends Readonly<Record<Signal, boolean>> {
  readonly enabled: boolean;
}

/** Where that is sent; undefined where it is not. */
export function endpointOf(signal: Signal, settings: OtlpSettings & Switches): string | undefined {
  if (!settings.enabled || !settings[signal]) return undefined;
  const own = settings[`${signal}Endpoint`];
  if (own !== undefined || settings.endpoint === undefined) return own;
  const bare = settings.endpoint.replace(/\/+$/, "");
  return bare.endsWith(`/v1/${signal}`) ? bare : `${bare}/v1/${signal}`;
}
