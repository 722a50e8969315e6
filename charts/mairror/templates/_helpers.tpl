{{/* Names and labels */}}
{{- define "mairror.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "mairror.selector" -}}
app.kubernetes.io/name: mairror
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "mairror.labels" -}}
{{ include "mairror.selector" . }}
app.kubernetes.io/part-of: mairror
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "mairror.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (include "mairror.fullname" .) }}
{{- end }}

{{/* Image of a target of docker/Dockerfile: dict root, target */}}
{{- define "mairror.image" -}}
{{- $image := .root.Values.image -}}
{{ with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}/{{ .target }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* Settings every component has: dict root, user */}}
{{- define "mairror.environment" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $user := index $kafka.users .user -}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: MAIRROR_SECRETS_DIR
  value: /run/secrets/mairror
- name: MAIRROR_WEB__HOST
  value: 0.0.0.0
- name: MAIRROR_WEB__PORT
  value: "8600"
- name: MAIRROR_LOG_LEVEL
  value: {{ .root.Values.logLevel | quote }}
- name: MAIRROR_LOG_FORMAT
  value: json
- name: MAIRROR_KAFKA__BOOTSTRAP
  value: {{ $kafka.bootstrap | quote }}
- name: MAIRROR_KAFKA__SECURITY_PROTOCOL
  value: {{ $kafka.securityProtocol | quote }}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
- name: MAIRROR_KAFKA__SASL_MECHANISM
  value: {{ $kafka.saslMechanism | quote }}
- name: MAIRROR_KAFKA__SASL_USERNAME
  value: {{ $user.username | quote }}
{{- end }}
{{- if and (hasSuffix "SSL" $kafka.securityProtocol) $kafka.ca.secretName }}
- name: MAIRROR_KAFKA__CA_FILE
  value: /run/secrets/mairror/kafka-ca.crt
{{- end }}
{{- end }}

{{/* Store settings beside the secret */}}
{{- define "mairror.mongoEnvironment" -}}
- name: MAIRROR_MONGO__DATABASE
  value: {{ .Values.mongo.database | quote }}
{{- end }}

{{/* Files of MAIRROR_SECRETS_DIR: dict root, user, mongo (bool), extra (list of projected sources) */}}
{{- define "mairror.secrets" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $user := index $kafka.users .user -}}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
- secret:
    name: {{ $user.secretName }}
    items: [{key: {{ $user.key }}, path: MAIRROR_KAFKA__SASL_PASSWORD}]
{{- end }}
{{- if and (hasSuffix "SSL" $kafka.securityProtocol) $kafka.ca.secretName }}
- secret:
    name: {{ $kafka.ca.secretName }}
    items: [{key: {{ $kafka.ca.key }}, path: kafka-ca.crt}]
{{- end }}
{{- if .mongo }}
- secret:
    name: {{ .root.Values.mongo.secretName }}
    items: [{key: {{ .root.Values.mongo.key }}, path: MAIRROR_MONGO__URI}]
{{- end }}
{{- with .extra }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "mairror.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "mairror.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/*
A Deployment. dict:
  root, component (label), name (suffix), target (image), user (of kafka.users), values (of the component),
  args (list), environment (YAML text, may be empty), mongo (bool), secrets (list of projected sources),
  replicas (nil: somebody else sets them), single (bool: never two at a time), drain (seconds in which load balancers
  forget the pod), gpu (nil or values)
*/}}
{{- define "mairror.deployment" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $secrets := include "mairror.secrets" (dict "root" $root "user" .user "mongo" .mongo "extra" .secrets) -}}
{{- $resources := deepCopy $values.resources -}}
{{- $tolerations := $values.tolerations -}}
{{- $nodeSelector := $values.nodeSelector -}}
{{- with .gpu }}
{{- $_ := set $resources "limits" (merge (dict "nvidia.com/gpu" .count) ($resources.limits | default dict)) -}}
{{- $tolerations = append $tolerations (dict "key" "nvidia.com/gpu" "operator" "Exists" "effect" "NoSchedule") -}}
{{- $nodeSelector = merge (deepCopy .nodeSelector) $nodeSelector -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "mairror.fullname" $root }}-{{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "mairror.labels" . | nindent 4 }}
spec:
  {{- if not (kindIs "invalid" .replicas) }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  selector:
    matchLabels:
      {{- include "mairror.selector" . | nindent 6 }}
      mairror/name: {{ .name }}
  strategy:
    {{- if .single }}
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
    {{- end }}
  template:
    metadata:
      labels:
        {{- include "mairror.labels" . | nindent 8 }}
        mairror/name: {{ .name }}
        {{- with $root.Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $root.Values.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "mairror.serviceAccountName" $root }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 30
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .gpu }}{{- with .runtimeClassName }}
      runtimeClassName: {{ . }}
      {{- end }}{{- end }}
      securityContext: {{- include "mairror.podSecurity" $root | nindent 8 }}
      {{- if not .single }}
      topologySpreadConstraints:
        {{- $selector := dict "root" $root "component" .component }}
        {{- $name := .name }}
        {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "mairror.selector" $selector | nindent 14 }}
              mairror/name: {{ $name }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "mairror.image" . }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: {{ toJson .args }}
          env:
            {{- include "mairror.environment" . | nindent 12 }}
            {{- with .environment }}
            {{- . | nindent 12 }}
            {{- end }}
            {{- range $name, $value := $values.extraEnv }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
          ports:
            - {name: http, containerPort: 8600}
          # Alive: its loop turns, and offsets move or there is nothing to do. A broker or store that is away is no
          # reason to start it again.
          startupProbe:
            httpGet: {path: /livez, port: http}
            periodSeconds: 5
            timeoutSeconds: 4
            failureThreshold: 60
          livenessProbe:
            httpGet: {path: /livez, port: http}
            periodSeconds: 10
            timeoutSeconds: 4
            failureThreshold: 3
          # Ready: the model is warm and it has partitions; the store answers; readers are connected.
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
            timeoutSeconds: 4
            failureThreshold: 2
          {{- with .drain }}
          lifecycle:
            preStop: {sleep: {seconds: {{ . }}}}
          {{- end }}
          resources: {{- toYaml $resources | nindent 12 }}
          securityContext: {{- include "mairror.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            {{- with $secrets }}
            - {name: secrets, mountPath: /run/secrets/mairror, readOnly: true}
            {{- end }}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: 1Gi}
        {{- with $secrets }}
        - name: secrets
          projected:
            defaultMode: 0440
            sources: {{- . | nindent 14 }}
        {{- end }}
      {{- with $nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}

{{/* dict root, component: one at a time may leave for maintenance, however many there are */}}
{{- define "mairror.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "mairror.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "mairror.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "mairror.selector" . | nindent 6 }}
{{- end }}

{{/* dict root, component */}}
{{- define "mairror.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "mairror.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "mairror.labels" . | nindent 4 }}
spec:
  selector: {{- include "mairror.selector" . | nindent 4 }}
  {{- with .sticky }}
  sessionAffinity: ClientIP
  {{- end }}
  ports:
    - {name: http, port: 80, targetPort: http, appProtocol: http}
{{- end }}
