{{/* Identities, as docs/guardrails.md lists them. Policies and bindings must mean the same ones. */}}
{{- define "vmnetwork.controller" -}}vmnetwork-controller{{- end -}}
{{- define "vmnetwork.agent" -}}vmnetwork-agent{{- end -}}
{{- define "vmnetwork.nodesGroup" -}}system:vmnetwork:nodes{{- end -}}

{{- define "vmnetwork.controllerUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "vmnetwork.controller" . }}
{{- end -}}

{{- define "vmnetwork.agentUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "vmnetwork.agent" . }}
{{- end -}}

{{- define "vmnetwork.labels" -}}
app.kubernetes.io/name: vmnetwork
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: vmnetwork
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "vmnetwork.controllerSelector" -}}
app.kubernetes.io/name: vmnetwork
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "vmnetwork.agentSelector" -}}
app.kubernetes.io/name: vmnetwork
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
{{- end -}}

{{/* Its kubelet asks where it listens: without an address at the pod's, which is the node's. */}}
{{- define "vmnetwork.agentProbeHost" -}}
{{- with .healthHost }}, host: {{ . }}{{ end -}}
{{- end -}}

{{- define "vmnetwork.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}
