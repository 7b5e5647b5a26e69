import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { RetryingPort } from '../../server/s3/retrying-port.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { BucketStorage } from '../crash/bucket-storage.ts'
import { ClusterNode } from '../crash/cluster.ts'
import { type FaultProxy, startFaultProxy } from '../s3/fault-proxy.ts'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { runNginx } from '../support/nginx.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { create, head, locationOf, patch } from '../support/tus.ts'

const CONFIGURATION = fileURLToPath(new URL('../../deploy/nginx/cluster.conf', import.meta.url))

let engine: S3Engine
let proxy: FaultProxy
let folder: TemporaryFolder
let nodes: readonly ClusterNode[]
let base: string
let stopNginx: () => Promise<void>
beforeAll(async () => {
  engine = await startS3Engine()
  proxy = await startFaultProxy(engine.location.endpoint)
  folder = await temporaryFolder()
  const port = new RetryingPort(new SdkPort(engine.location))
  const storage = new BucketStorage(port, engine.location, proxy, 'cluster')
  port.close()
  nodes = await Promise.all([0, 0, 0].map((ahead) => ClusterNode.prepare(storage, engine.location, ahead)))
  await Promise.all(nodes.map((node) => node.start()))
  const listening = await freePort()
  base = `http://127.0.0.1:${listening}`
  stopNginx = await runNginx(folder.path, await configured(listening), listening)
})
afterAll(async () => {
  await stopNginx?.()
  await Promise.all((nodes ?? []).map((node) => node.dispose()))
  await proxy?.close()
  await folder?.dispose()
  await engine?.stop()
})

/** The configuration of the deployment, with the nodes of this test. */
async function configured(port: number): Promise<string> {
  const names = ['node-a:1080', 'node-b:1080', 'node-c:1080']
  const deployed = (await readFile(CONFIGURATION, 'utf8'))
    .replaceAll('/tmp/', `${folder.path}/`)
    .replace('/dev/stdout', `${folder.path}/access.log`)
    .replace('/dev/stderr', `${folder.path}/error.log`)
    .replace('listen 8080', `listen 127.0.0.1:${port}`)
  return names.reduce((text, name, i) => text.replace(name, new URL(nodes[i]?.url ?? '').host), deployed)
}

it('nginx continues an upload on another node when its node is killed', async () => {
  const content = bytesOf(3_000_000, 1)
  const url = locationOf(await create(base, { 'Upload-Length': String(content.length) }), base)
  expect((await patch(url, 0, content.subarray(0, 1_000_000))).status).toBe(204)
  // One of the two, or none, has the upload; then the last one gets it.
  for (const node of nodes.slice(1)) await node.kill()
  let found = await head(url)
  // Clients ask again: the node may still be taking the upload over.
  while (found.status === 423) found = await head(url)
  expect([found.status, found.headers.get('Upload-Offset')]).toEqual([200, '1000000'])
  expect((await patch(url, 1_000_000, content.subarray(1_000_000))).status).toBe(204)
  expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(content)).toBe(true)
})
