{{/*
CEL that several policies share, for block scalars: `|-` and nindent, so that `kubectl get -o yaml` shows it as it is here.
Messages keep to the shape of the project's errors: field, value, what is wrong, remedy.
*/}}

{{/* Whoever came with the credential of an agent, a half one included: it is then refused, not overlooked. */}}
{{- define "vmnetwork.cel.isAgent" -}}
request.userInfo.username == '{{ include "vmnetwork.agentUser" . }}'
|| request.userInfo.username.startsWith('system:vmnetwork:node:')
|| (has(request.userInfo.groups) && '{{ include "vmnetwork.nodesGroup" . }}' in request.userInfo.groups)
{{- end -}}

{{/*
The node that an agent speaks for; '' if its credential names none. The claim of a bound token is made by the API server,
name and groups of a certificate by the cluster's signer; neither can be chosen by the agent.
*/}}
{{- define "vmnetwork.cel.node" -}}
request.userInfo.username == '{{ include "vmnetwork.agentUser" . }}' ?
  (has(request.userInfo.extra) && 'authentication.kubernetes.io/node-name' in request.userInfo.extra
   && size(request.userInfo.extra['authentication.kubernetes.io/node-name']) == 1
   ? request.userInfo.extra['authentication.kubernetes.io/node-name'][0] : '')
: request.userInfo.username.startsWith('system:vmnetwork:node:')
  && has(request.userInfo.groups) && '{{ include "vmnetwork.nodesGroup" . }}' in request.userInfo.groups ?
  request.userInfo.username.substring(size('system:vmnetwork:node:'))
: ''
{{- end -}}

{{- define "vmnetwork.cel.isController" -}}
request.userInfo.username == '{{ include "vmnetwork.controllerUser" . }}'
{{- end -}}

{{/* `UPDATE vmnetworkattachments/status` */}}
{{- define "vmnetwork.cel.write" -}}
request.operation + ' ' + request.resource.resource
+ (has(request.subResource) && request.subResource != '' ? '/' + request.subResource : '')
{{- end -}}

{{/*
What a tenant has to be entitled to is asked when it asks for something: at creation and when spec changes. Never of writes
that leave spec alone, or an object that a stricter class now forbids could not even be deleted (its finalizer goes by an
update). Nor of pulling the kill switch, which must work whatever has changed around it.
*/}}
{{- define "vmnetwork.cel.asks" -}}
request.operation == 'CREATE' || (object.spec != oldObject.spec && !(
  object.spec.desiredState == 'Quarantined'
  && dyn(object.spec).all(field, field == 'desiredState'
    || (field in dyn(oldObject.spec) && dyn(object.spec)[field] == dyn(oldObject.spec)[field]))
  && dyn(oldObject.spec).all(field, field in dyn(object.spec))))
{{- end -}}

{{/* The binding that makes a policy hold everywhere. Takes its name. */}}
{{- define "vmnetwork.binding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels: {{- include "vmnetwork.labels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
{{- end -}}

{{/* The first rule of each policy about agents. */}}
{{- define "vmnetwork.agentHasNode" -}}
expression: variables.node != ''
message: >-
  the credential of this agent names no node. Use a token that is bound to a Node or to a Pod on it, or a client
  certificate for system:vmnetwork:node:NAME of the group {{ include "vmnetwork.nodesGroup" . }}.
reason: Forbidden
{{- end -}}
