{{- define "fanfare.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "fanfare.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "fanfare.labels" -}}
{{ include "fanfare.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "fanfare.secret" -}}
{{ .Values.existingSecret | default (include "fanfare.name" .) }}
{{- end }}

{{/* What would start and not work is refused, before anything is installed. */}}
{{- define "fanfare.check" -}}
{{- if not (has .Values.engine (list "redis" "nats" "memory")) }}{{ fail (printf "engine is redis, nats or memory, not %q" .Values.engine) }}{{ end }}
{{- if and (eq .Values.engine "memory") (or .Values.autoscaling.enabled (gt (int .Values.replicas) 1)) }}{{ fail "servers with engine: memory know nothing of each other: set replicas to 1 and autoscaling.enabled to false, or the engine to redis or nats" }}{{ end }}
{{- if and (eq .Values.engine "nats") (not .Values.nats.servers) }}{{ fail "nats.servers is empty: say where NATS is" }}{{ end }}
{{- if le (int .Values.terminationGracePeriodSeconds) (add .Values.drainDelayS .Values.drainTimeoutS | int) }}{{ fail "terminationGracePeriodSeconds has to be longer than drainDelayS and drainTimeoutS together, or the last clients are cut" }}{{ end }}
{{- end }}
