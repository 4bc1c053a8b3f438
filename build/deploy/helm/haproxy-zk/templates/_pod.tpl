{{/* pod is the template of the pods, for both kinds. */}}
{{- define "pod" -}}
{{- $v := .Values }}
{{- $host := eq $v.kind "DaemonSet" }}
{{- $mounted := or $v.config $v.template -}}
metadata:
  labels:
    {{- include "selector" . | nindent 4 }}
  {{- with $v.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  automountServiceAccountToken: false
  # Services would become variables, such as ADMIN_PORT.
  enableServiceLinks: false
  {{- if $host }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
  {{- with $v.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if not $host }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "selector" . | nindent 10 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: haproxy-zk
      image: {{ $v.image.repository }}{{ with $v.image.tag }}:{{ . }}{{ end }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      env:
        - name: NODE_NAME
          valueFrom:
            fieldRef: {fieldPath: spec.nodeName}
        {{- range $name, $value := include "variables" . | fromYaml }}
        - name: {{ $name }}
          value: {{ $value | quote }}
        {{- end }}
      ports:
        {{- range $v.listeners }}
        - {name: {{ .name }}, containerPort: {{ .port }}{{ if $host }}, hostPort: {{ .port }}{{ end }}}
        {{- end }}
        {{- if $host }}
        - {name: stats, containerPort: {{ $v.statsPort }}, hostPort: {{ $v.statsPort }}}
        {{- end }}
        - {name: api, containerPort: {{ $v.apiPort }}{{ if $host }}, hostPort: {{ $v.apiPort }}{{ end }}}
      readinessProbe:
        httpGet: {path: /readyz, port: api}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      livenessProbe:
        httpGet: {path: /healthz, port: api}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      {{- with $v.preStopSeconds }}
      lifecycle:
        preStop:
          sleep: {seconds: {{ . }}}
      {{- end }}
      {{- with $v.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        {{- if $mounted }}
        - {name: config, mountPath: /etc/haproxy-zk, readOnly: true}
        {{- end }}
        - {name: run, mountPath: /run/haproxy-zk}
        - {name: state, mountPath: /var/lib/haproxy-zk}
        {{- if $v.services }}
        - {name: services, mountPath: /srv/services, readOnly: true}
        {{- end }}
        {{- range $v.secrets }}
        - {name: secret-{{ . }}, mountPath: /run/secrets/{{ . }}, readOnly: true}
        {{- end }}
  volumes:
    {{- if $mounted }}
    - name: config
      configMap: {name: {{ include "configuration" . }}}
    {{- end }}
    - name: run
      emptyDir: {medium: Memory, sizeLimit: 64Mi}
    - name: state
      emptyDir: {sizeLimit: 256Mi}
    {{- if $v.services }}
    - name: services
      configMap: {name: {{ .Release.Name }}-services}
    {{- end }}
    {{- range $v.secrets }}
    - name: secret-{{ . }}
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
{{- end }}

{{/* variables are those of the environment: the user's, and those that other values decide. */}}
{{- define "variables" -}}
{{- $v := .Values }}
{{- $all := deepCopy $v.variables }}
{{- if ne (int $v.apiPort) 21000 }}{{ $_ := set $all "HTTP_ADDR" (printf ":%v" $v.apiPort) }}{{ end }}
{{- if not $v.config }}
{{- $_ := set $all "LISTENER_PORT" (toString (first $v.listeners).port) }}
{{- $_ := set $all "ADMIN_PORT" (toString $v.statsPort) }}
{{- if $v.services }}{{ $_ := set $all "SERVICES_DIR" "/srv/services" }}{{ end }}
{{- if $v.template }}{{ $_ := set $all "TEMPLATE" "/etc/haproxy-zk/haproxy.template" }}{{ end }}
{{- end }}
{{- toYaml $all }}
{{- end }}
