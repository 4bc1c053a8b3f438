{{/* checks fails where values do not go together, which the schema cannot say. */}}
{{- define "checks" -}}
{{- $v := .Values }}
{{- range list "CONFIG" "HTTP_ADDR" "NODE_NAME" "RUN_DIR" "STATE_DIR" }}
{{- if hasKey $v.variables . }}{{ fail (printf "variables.%s: the chart sets it" .) }}{{ end }}
{{- end }}
{{- $proxies := list $v.variables }}
{{- if $v.config }}
{{- $file := fromJson $v.config }}
{{- if and (hasKey $file "Error") (kindIs "string" $file.Error) }}{{ fail (printf "config is not JSON: %s" $file.Error) }}{{ end }}
{{- $proxies = values $file }}
{{- include "checks.file" . }}
{{- else }}
{{- if not (or $v.variables.ZK_ADDR $v.services) }}{{ fail "without config, set variables.ZK_ADDR or services" }}{{ end }}
{{- range list "SERVICES_DIR" "TEMPLATE" "LISTENER_PORT" "ADMIN_PORT" }}
{{- if hasKey $v.variables . }}{{ fail (printf "variables.%s: services, template, listeners and statsPort set it" .) }}{{ end }}
{{- end }}
{{- if gt (len $v.listeners) 1 }}{{ fail "listeners: variables describe one proxy, which has one listener: write the proxies in config" }}{{ end }}
{{- end }}
{{- $delay := 0 }}{{ $grace := 0 }}
{{- range $proxies }}
{{- $delay = max $delay (include "seconds" (list "stop_delay" (dig "stop_delay" (dig "STOP_DELAY" "0s" .) .)) | int) }}
{{- $grace = max $grace (include "seconds" (list "stop_grace" (dig "stop_grace" (dig "STOP_GRACE" "8s" .) .)) | int) }}
{{- end }}
{{- if le (int $v.terminationGracePeriodSeconds) (int (add $v.preStopSeconds $delay $grace)) }}
{{- fail (printf "terminationGracePeriodSeconds is %v: it must be more than preStopSeconds (%v), stop_delay (%vs) and stop_grace (%vs) together, or pods are killed with their requests" $v.terminationGracePeriodSeconds $v.preStopSeconds $delay $grace) }}
{{- end }}
{{- end }}

{{/* checks.file fails where config does not use what other values give it. */}}
{{- define "checks.file" -}}
{{- $v := .Values }}
{{- $process := list "HTTP_DETAIL_ADDR" "HTTP_TOKEN_FILE" "HTTP_TLS_CERT" "HTTP_TLS_KEY" "START_WAIT" "LOG_LEVEL" "LOG_FORMAT" "LOG_LISTEN" "ACCESS_LOG" "NODE_ZONE" "GOMEMLIMIT" }}
{{- range $name, $value := $v.variables }}
{{- if not (or (has $name $process) (contains (printf "${%s}" $name) $v.config)) }}
{{- fail (printf "variables.%s: config and variables both configure proxies: set config to \"\", or write \"${%s}\" in it" $name $name) }}
{{- end }}
{{- end }}
{{- $ports := list }}{{ $dirs := list }}{{ $templates := list }}
{{- range values (fromJson $v.config) }}
{{- $ports = append $ports (toString (get . "listener_port" | default 8080)) }}
{{- $dirs = append $dirs (get . "dir") }}
{{- $templates = append $templates (get . "template") }}
{{- end }}
{{- range $v.listeners }}
{{- if not (or (has (toString .port) $ports) (contains "${" (join " " $ports))) }}
{{- fail (printf "listeners: no proxy of config has the listener_port %v" .port) }}
{{- end }}
{{- end }}
{{- if and $v.services (not (has "/srv/services" $dirs)) }}{{ fail "services: no proxy of config has \"dir\": \"/srv/services\"" }}{{ end }}
{{- if and $v.template (not (has "/etc/haproxy-zk/haproxy.template" $templates)) }}
{{- fail "template: no proxy of config has \"template\": \"/etc/haproxy-zk/haproxy.template\"" }}
{{- end }}
{{- end }}

{{/* seconds are those of a duration, which is a number or such as 1m30s. A reference, such as ${DELAY}, counts as 0. */}}
{{- define "seconds" -}}
{{- $name := first . }}{{ $duration := toString (last .) }}
{{- if regexMatch "^[0-9.]+$" $duration }}{{ $duration = printf "%ss" $duration }}{{ end }}
{{- if contains "${" $duration }}0
{{- else if regexMatch "^([0-9.]+(ms|s|m|h))+$" $duration }}
{{- $start := toDate "2006" "2000" }}
{{- sub (mustDateModify $duration $start | unixEpoch) (unixEpoch $start) }}
{{- else }}{{ fail (printf "%s: %q is not a duration such as 5s" $name $duration) }}
{{- end }}
{{- end }}
