{{/* labels of an object. The pods have one that is the release's own, which selects them. */}}
{{- define "labels" -}}
app.kubernetes.io/name: haproxy-zk
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "selector" -}}
app: {{ .Release.Name }}
{{- end }}

{{/* configuration is the name of the ConfigMap, another for each content: a change is rolled out, pods keep what they
     started with, and an undone rollout finds it again. */}}
{{- define "configuration" -}}
{{ .Release.Name }}-{{ printf "%s\n%s" .Values.config .Values.template | sha256sum | trunc 10 }}
{{- end }}
