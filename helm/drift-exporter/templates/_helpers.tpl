{{- define "drift-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters: a StatefulSet adds a number and a hash to it in labels of 63. */}}
{{- define "drift-exporter.fullname" -}}
{{- $name := include "drift-exporter.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "drift-exporter.selector" -}}
app.kubernetes.io/name: {{ include "drift-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "drift-exporter.labels" -}}
{{ include "drift-exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "drift-exporter.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "drift-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "drift-exporter.image" -}}
{{- $image := .Values.image }}
{{- with $image.registry }}{{ . | trimSuffix "/" }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .Chart.AppVersion $image.tag }}{{ end }}
{{- end }}

{{/* The configuration's text, however it was given. */}}
{{- define "drift-exporter.config" -}}
{{- if kindIs "string" .Values.config }}{{ .Values.config }}{{ else }}{{ toYaml .Values.config }}{{ end }}
{{- end }}

{{/* Where the configuration is: "" where the chart makes it. One of three, and only one. */}}
{{- define "drift-exporter.given" -}}
{{- $ways := compact (list .Values.existingConfigMap .Values.existingSecret (ternary "config" "" (not (empty .Values.config)))) }}
{{- if eq (len $ways) 0 }}
{{- fail "say what to watch: `config` with kafka, topics and models, or `existingConfigMap` or `existingSecret` with config.yaml" }}
{{- else if gt (len $ways) 1 }}
{{- fail "`config`, `existingConfigMap` and `existingSecret` are three ways to say the same: keep one" }}
{{- end }}
{{- end }}

{{/* A certificate for probes is of no use without its key, its Secret and TLS. */}}
{{- define "drift-exporter.probed" -}}
{{- if or .Values.web.probeCertificate .Values.web.probeKey }}
{{- if not (and .Values.web.probeCertificate .Values.web.probeKey .Values.web.existingSecret (eq .Values.web.scheme "HTTPS")) }}
{{- fail "`web.probeCertificate` and `web.probeKey` go together, with `web.existingSecret`, which has both, and `web.scheme: HTTPS`" }}
{{- end }}
{{- end }}
{{- end }}

{{/* What a monitor's endpoint says, for Service and Pod alike. */}}
{{- define "drift-exporter.endpoint" -}}
{{- $monitor := .monitor -}}
port: http
path: /metrics
scheme: {{ lower .scheme }}
honorLabels: {{ $monitor.honorLabels }}
{{- with $monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with $monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with $monitor.tlsConfig }}
tlsConfig: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $monitor.basicAuth }}
basicAuth: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $monitor.relabelings }}
relabelings: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $monitor.metricRelabelings }}
metricRelabelings: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A kubelet has no client certificate; where one is demanded, the container asks itself. */}}
{{- define "drift-exporter.probe" -}}
{{- $probe := deepCopy .probe }}
{{- if not (or $probe.httpGet $probe.exec $probe.tcpSocket $probe.grpc) }}
{{- if .web.probeCertificate }}
{{- $url := printf "https://localhost:%d%s" (int .web.port) .path }}
{{- $folder := "/etc/drift-exporter-web" }}
{{- $pair := list (printf "%s/%s" $folder .web.probeCertificate) (printf "%s/%s" $folder .web.probeKey) }}
{{- $_ := set $probe "exec" (dict "command" (concat (list "python3" "-I" "-m" "exporter.probe" $url) $pair)) }}
{{- else }}
{{- $get := dict "path" .path "port" "http" "scheme" .web.scheme }}
{{- with .web.probeHeaders }}{{ $_ := set $get "httpHeaders" . }}{{ end }}
{{- $_ := set $probe "httpGet" $get }}
{{- end }}
{{- end }}
{{- toYaml $probe }}
{{- end }}
