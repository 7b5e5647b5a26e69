// `npm run test:kubernetes`: checks the manifests and the chart with helm and kubernetes-validate, which has the schemas
// of Kubernetes. Both are installed into the cache unless they are there; helm needs Go.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CACHE = path.join(ROOT, 'node_modules/.cache/kubernetes')
const CHART = path.join(ROOT, 'deploy/helm/landfall')
const MANIFESTS = path.join(ROOT, 'deploy/kubernetes')
/** The oldest supported version, and a recent one. */
const VERSIONS = ['1.25', '1.36']
const HELM = 'helm.sh/helm/v3/cmd/helm@v3.18.6'

/** Values of an operator, as flags of helm. */
const VARIANTS = {
  'one node': [],
  'one node with an ingress and a claim': [
    ...['--set', 'ingress.enabled=true,ingress.tlsSecret=tls,ingress.className=nginx,persistence.existingClaim=files'],
    ...['--set-string', 'settings.BASE_PATH=/uploads'],
  ],
  'three nodes on a bucket': [
    ...['--set-string', 'settings.STORE=s3,settings.S3_BUCKET=landfall'],
    ...['--set', 'replicas=3,existingSecret=landfall,metrics.serviceMonitor.enabled=true'],
  ],
}
/** Values that must be refused, and why. */
const REFUSED = {
  'replicas must be 1': ['--set', 'replicas=2'],
  'needs existingSecret': ['--set-string', 'settings.STORE=s3'],
  replica: ['--set', 'replica=1'],
  DRAIN: ['--set', 'settings.DRAIN=30'],
}

const failures = []

function run(command, args, input, env = {}) {
  return spawnSync(command, args, { input, encoding: 'utf8', env: { ...process.env, ...env } })
}

function check(name, { status, stdout, stderr }) {
  console.log(`${status === 0 ? 'ok' : 'FAILED'}: ${name}`)
  if (status !== 0) failures.push(`${name}\n${stdout}${stderr}`)
}

function installed(name, command, args, env) {
  const { status } = spawnSync(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status === 0) return
  console.error(`${name} could not be installed. Try: ${command} ${args.join(' ')}`)
  process.exit(1)
}

function helmProgram() {
  if (run('helm', ['version']).status === 0) return 'helm'
  const program = path.join(CACHE, 'helm')
  if (!existsSync(program)) {
    const env = { GOBIN: CACHE, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto' }
    installed('helm', 'go', ['install', '-trimpath', '-ldflags=-s -w', HELM], env)
  }
  return program
}

function validator() {
  const folder = path.join(CACHE, 'validate')
  const env = { PYTHONPATH: [folder, process.env.PYTHONPATH].filter(Boolean).join(':') }
  if (run('python3', ['-c', 'import kubernetes_validate'], '', env).status !== 0) {
    installed('kubernetes-validate', 'python3', [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--target',
      folder,
      'kubernetes-validate',
    ])
  }
  return (input, version) => run('python3', ['-m', 'kubernetes_validate', '--strict', '-k', version, '-'], input, env)
}

mkdirSync(CACHE, { recursive: true })
const helm = helmProgram()
const validate = validator()

/** A helm that `go install` has built believes to render for an old version. */
const template = (...flags) => run(helm, ['template', 'files', CHART, '--kube-version', VERSIONS[1], ...flags])

/** Validates documents, except of kinds that Kubernetes does not know by itself. */
function validateAll(name, text) {
  const documents = text.split(/^---$/m).filter((document) => /^kind: /m.test(document))
  const own = documents.filter((document) => !document.includes('monitoring.coreos.com'))
  if (own.length < 4) check(name, { status: 1, stdout: `${own.length} documents\n`, stderr: '' })
  for (const version of VERSIONS) check(`${name}, Kubernetes ${version}`, validate(own.join('\n---\n'), version))
}

for (const file of readdirSync(MANIFESTS)) {
  const { stdout } = run('cat', [path.join(MANIFESTS, file)])
  validateAll(file, stdout)
  // Otherwise, a validator that accepts everything would go unnoticed.
  const { status } = validate(
    stdout.replace('clusterIP: None', 'clusterIPs: None').replace('replicas:', 'replica:'),
    '1.36',
  )
  check(`${file} with a wrong field is refused`, { status: status === 0 ? 1 : 0, stdout: '', stderr: '' })
}
for (const [name, flags] of Object.entries(VARIANTS)) {
  check(`helm lint: ${name}`, run(helm, ['lint', '--strict', CHART, ...flags]))
  const rendered = template('--namespace', 'uploads', ...flags)
  check(`helm template: ${name}`, rendered)
  validateAll(`chart: ${name}`, rendered.stdout)
}
for (const [reason, flags] of Object.entries(REFUSED)) {
  const { status, stderr } = template(...flags)
  const isRefused = status !== 0 && stderr.includes(reason)
  check(`helm template ${flags.join(' ')} is refused`, { status: isRefused ? 0 : 1, stdout: '', stderr })
}
if (failures.length > 0) {
  console.error(failures.join('\n\n'))
  process.exit(1)
}
