{{- define "vmnetwork.agentSubjects" -}}
- kind: ServiceAccount
  name: {{ include "vmnetwork.agent" . }}
  namespace: {{ .Release.Namespace }}
- kind: Group
  apiGroup: rbac.authorization.k8s.io
  name: {{ include "vmnetwork.nodesGroup" . }}
{{- end -}}
