/** Shows a configuration without its secrets. */

import type { Config } from "./schema.ts";

const HIDDEN = "******";

/** The same configuration, with every secret value replaced. */
export function maskSecrets(config: Config): Config {
  const { tls, dashboard } = config;
  return {
    ...config,
    dashboard: {
      ...dashboard,
      users: dashboard.users.map((user) => ({ ...user, password: HIDDEN })),
      ...(dashboard.password !== undefined && { password: HIDDEN }),
      ...(dashboard.token && {
        token: dashboard.token.secret === undefined ? dashboard.token : { ...dashboard.token, secret: HIDDEN },
      }),
    },
    ...(tls && { tls: { ...masked(tls), names: tls.names.map(masked) } }),
    apps: config.apps.map(({ token, ...app }) => ({
      ...app,
      secrets: [HIDDEN, ...app.secrets.slice(1).map(() => HIDDEN)],
      ...(token === undefined ? {} : { token: token.secret === undefined ? token : { ...token, secret: HIDDEN } }),
    })),
  };
}

function masked<T extends { readonly passphrase?: string }>(certificate: T): T {
  return certificate.passphrase === undefined ? certificate : { ...certificate, passphrase: HIDDEN };
}
