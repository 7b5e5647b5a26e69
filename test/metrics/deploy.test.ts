import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { bytesOf } from '../support/bytes.ts'
import { closeServer, listenLocally } from '../support/http-server.ts'
import { type Series, startMeasured } from '../support/metrics.ts'
import { startS3Engine } from '../support/s3-engine.ts'
import { create, createUpload, head, patch, TUS } from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'
import { faultsOf } from './queries.ts'

const file = (name: string): Promise<string> => readFile(new URL(`../../${name}`, import.meta.url), 'utf8')

const dashboard = z.object({
  panels: z.array(
    z.object({
      title: z.string(),
      type: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.object({ expr: z.string() })).default([]),
    }),
  ),
})

/** Everything that a client can do once, so that each metric has a series. */
async function useAll(base: string): Promise<void> {
  const url = await createUpload(base, 10)
  await patch(url, 0, bytesOf(4))
  await head(url)
  await patch(url, 4, bytesOf(10).subarray(4))
  await (await fetch(url)).text()
  await head(`${base}/files/unknown`)
  await fetch(url, { method: 'DELETE', headers: TUS })
  const chunks = cut(bytesOf(20), 10)
  for (const chunk of [0, 1]) await sendChunk(base, chunks.fields(chunk), chunks.bytes(chunk))
  await create(base, { 'Upload-Length': '-1' })
}

let series: readonly Series[] = []
beforeAll(async () => {
  const receiver = http.createServer((_, response) => {
    response.setHeader('Content-Type', 'application/json').end('{}')
  })
  const [application, engine] = await Promise.all([listenLocally(receiver), startS3Engine()])
  const applications = {
    HOOKS_URL: application,
    WEBHOOK_URLS: application,
    WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
  }
  const { endpoint, bucket, credentials } = engine.location
  const onDisk = await startMeasured({ ...applications, SYNC: 'always' })
  const inBucket = await startMeasured({
    STORE: 's3',
    S3_ENDPOINT: endpoint,
    S3_BUCKET: bucket,
    S3_ACCESS_KEY_ID: credentials.accessKeyId,
    S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    SECRET: 'a secret of thirty-two characters',
  })
  for (const service of [onDisk, inBucket]) {
    await useAll(service.url)
    await until(async () => (await service.value('landfall_requests_total', { method: 'DELETE' })) === 1)
    await until(async () => (await service.series()).some(({ name }) => name === 'landfall_uploads_unfinished_bytes'))
    series = [...series, ...(await service.series())]
    await service.close()
  }
  await Promise.all([closeServer(receiver), engine.stop()])
})

describe('The Grafana dashboard', () => {
  it('queries only series and labels that a service has', async () => {
    const { panels } = dashboard.parse(JSON.parse(await file('deploy/grafana/landfall.json')))
    const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
    expect(expressions.length).toBeGreaterThan(30)
    expect(expressions.flatMap((expression) => faultsOf(expression, series))).toEqual([])
  })

  it('has panels that do not overlap, and a query in each', async () => {
    const { panels } = dashboard.parse(JSON.parse(await file('deploy/grafana/landfall.json')))
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(panels.filter(({ type, targets }) => type !== 'row' && targets.length === 0)).toEqual([])
  })
})

describe('The alert rules', () => {
  it('query only series and labels that a service has', async () => {
    const expressions = [...(await file('deploy/prometheus/alerts.yml')).matchAll(/^ {8}expr: (.+)$/gm)]
    expect(expressions.length).toBe([...(await file('deploy/prometheus/alerts.yml')).matchAll(/- alert: /g)].length)
    expect(expressions.flatMap(([, expression = '']) => faultsOf(expression, series))).toEqual([])
  })

  it('are all in the documentation, with what to do', async () => {
    const names = [...(await file('deploy/prometheus/alerts.yml')).matchAll(/- alert: (\w+)/g)].map(([, name]) => name)
    const documented = [...(await file('docs/monitoring.md')).matchAll(/^\| `(Landfall\w+)`/gm)].map(([, name]) => name)
    expect(documented).toEqual(names)
  })
})

describe('The documentation', () => {
  it('lists every metric of a service, with its labels, and no other', async () => {
    const text = await file('docs/monitoring.md')
    const documented = [...text.matchAll(/^\| `((?:landfall|tusd)_\w+)(?:\{([\w, ]*)\})?`/gm)].map(
      ([, name = '', labels = '']) => `${name}{${labels.split(/, ?/).sort().join(',')}}`,
    )
    const real = new Map<string, Set<string>>()
    for (const { name, labels } of series.filter((one) => /^(landfall|tusd)_/.test(one.name))) {
      const base = name.replace(/_(bucket|sum|count)$/, '')
      const known = real.get(base) ?? new Set<string>()
      for (const label of Object.keys(labels)) if (label !== 'node' && label !== 'le') known.add(label)
      real.set(base, known)
    }
    const found = [...real].map(([name, labels]) => `${name}{${[...labels].sort().join(',')}}`)
    expect(documented.sort()).toEqual(found.sort())
  })
})

describe('The comparison of queries', () => {
  it('notices unknown series, labels, values, and syntax', () => {
    const known: readonly Series[] = [{ name: 'a_total', labels: { code: 'x', node: 'n' }, value: 1 }]
    expect(faultsOf('sum by (code) (rate(a_total{code="x",node=~"$node"}[$__rate_interval]))', known)).toEqual([])
    expect(faultsOf('b_total', known)).toHaveLength(1)
    expect(faultsOf('a_total{kind="x"}', known).length).toBeGreaterThan(0)
    expect(faultsOf('a_total{code="y"}', known)).toHaveLength(1)
    expect(faultsOf('sum by (kind) (a_total)', known)).toHaveLength(1)
    expect(faultsOf('rate(a_total[5m]', known).length).toBeGreaterThan(0)
  })
})
