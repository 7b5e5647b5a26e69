// `node scripts/pin-images.mjs [--registry URL]`: prints the base images of Dockerfile and docker-compose.tls.yml with
// the digests that their tags have now, as a file for `docker compose --env-file`. Exits with 2 if the registry does not
// answer.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { registry: { type: 'string', default: 'https://registry-1.docker.io' } } })

/** The variable of an image, and its default, from the file that has it. */
const IMAGES = {
  NODE_IMAGE: /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync('Dockerfile', 'utf8'))?.[1],
  NGINX_IMAGE: /\$\{NGINX_IMAGE:-([^}]+)\}/.exec(readFileSync('docker-compose.tls.yml', 'utf8'))?.[1],
}

/** Of an image for several platforms first, so one digest serves them all. */
const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

/** The digest of a manifest, computed from its bytes. @throws Error when the registry does not return it. */
async function digestOf(image) {
  const [name, tag] = image.split(':')
  const url = `${values.registry}/v2/${name.includes('/') ? name : `library/${name}`}/manifests/${tag}`
  let response = await get(url, { Accept: MANIFESTS })
  if (response.status === 401) {
    const challenge = response.headers.get('WWW-Authenticate') ?? ''
    const { realm, ...query } = Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map((m) => m.slice(1)))
    if (realm === undefined) throw new Error(`${url}: 401`)
    const { token } = await (await get(`${realm}?${new URLSearchParams(query)}`)).json()
    response = await get(url, { Accept: MANIFESTS, Authorization: `Bearer ${token}` })
  }
  if (response.status !== 200) throw new Error(`${url}: ${response.status}`)
  const digest = `sha256:${createHash('sha256')
    .update(Buffer.from(await response.arrayBuffer()))
    .digest('hex')}`
  const announced = response.headers.get('Docker-Content-Digest')
  if (announced !== null && announced !== digest) throw new Error(`${url}: the content is not ${announced}`)
  return digest
}

function get(url, headers = {}) {
  return fetch(url, { headers, signal: AbortSignal.timeout(30_000) }).catch((error) => {
    throw new Error(`${url}: ${error.cause?.message ?? error.message}`)
  })
}

try {
  const lines = await Promise.all(
    Object.entries(IMAGES).map(async ([variable, image]) => `${variable}=${image}@${await digestOf(image)}`),
  )
  console.log(lines.join('\n'))
} catch (error) {
  console.error(`Not pinned: ${error.message}`)
  process.exit(2)
}
