{{/*
Where `have` lacks something of `want` or holds something else, a word for each place; nothing if it holds all of it. What
only `have` holds is not looked at: the API server fills in defaults, and drops empty properties. Texts for people may differ.
*/}}
{{- define "vmnetwork.lacks" -}}
{{- $have := .have -}}
{{- $at := .at -}}
{{- if and (kindIs "map" .want) (kindIs "map" $have) -}}
{{- range $key, $value := .want -}}
{{- if or (has $key (list "description" "example")) (and (eq $key "properties") (empty $value)) -}}
{{- else if hasKey $have $key -}}
{{- include "vmnetwork.lacks" (dict "want" $value "have" (get $have $key) "at" (printf "%s.%s" $at $key)) -}}
{{- else -}}
{{- printf "%s.%s " $at $key -}}
{{- end -}}
{{- end -}}
{{- else if and (kindIs "slice" .want) (kindIs "slice" $have) (eq (len .want) (len $have)) -}}
{{- range $index, $value := .want -}}
{{- include "vmnetwork.lacks" (dict "want" $value "have" (index $have $index) "at" (printf "%s[%d]" $at $index)) -}}
{{- end -}}
{{- else if ne (toJson .want) (toJson $have) -}}
{{- printf "%s " $at -}}
{{- end -}}
{{- end -}}
