import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { HEALTH_PATH } from '../../server/http/paths.ts'
import { parseSettings } from '../../server/read-settings.ts'

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url))

const probeOf = (port: string) =>
  z.object({ httpGet: z.object({ path: z.string().regex(HEALTH_PATH), port: z.literal(port) }) })

/** A pod as the service needs it, whatever else it has. */
const pod = z.object({
  automountServiceAccountToken: z.literal(false),
  enableServiceLinks: z.literal(false),
  terminationGracePeriodSeconds: z.number(),
  securityContext: z.object({ runAsNonRoot: z.literal(true), runAsUser: z.literal(1000), fsGroup: z.literal(1000) }),
  containers: z.tuple([
    z.object({
      securityContext: z.object({
        allowPrivilegeEscalation: z.literal(false),
        readOnlyRootFilesystem: z.literal(true),
        capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
      }),
      startupProbe: probeOf('http'),
      livenessProbe: probeOf('admin'),
      readinessProbe: probeOf('http'),
      ports: z.tuple([z.object({ name: z.literal('http') }), z.object({ name: z.literal('admin') })]),
      volumeMounts: z.tuple([z.object({ mountPath: z.literal('/data') })]),
    }),
  ]),
})

const settings = z.record(z.string(), z.string())
const document = z.object({ kind: z.string(), spec: z.unknown().optional(), data: settings.optional() })

async function documentsOf(file: string) {
  const text = await readFile(`${DEPLOY}/kubernetes/${file}`, 'utf8')
  const all = parseAllDocuments(text).map((found) => document.parse(found.toJS()))
  return (kind: string) => all.find((found) => found.kind === kind)
}

/** What operators add to the settings of a bucket, from a Secret. */
const SECRETS = { SECRET: 's'.repeat(32), S3_SECRET_ACCESS_KEY: 'secret' }

describe.each([
  ['landfall.yaml', 'StatefulSet', {}],
  ['landfall-s3.yaml', 'Deployment', SECRETS],
])('The manifest %s', (file, kind, secrets) => {
  it('has settings that the service accepts, and gives it the time to stop', async () => {
    const find = await documentsOf(file)
    const parsed = parseSettings({ ...find('ConfigMap')?.data, ...secrets })
    const { template } = z.object({ template: z.object({ spec: pod }) }).parse(find(kind)?.spec)
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(parsed.DRAIN + parsed.SHUTDOWN_DELAY)
    expect(parsed.SHUTDOWN_DELAY).toBeGreaterThan(0)
  })

  it('has one pod per data directory', async () => {
    const find = await documentsOf(file)
    const { replicas } = z.object({ replicas: z.number() }).parse(find(kind)?.spec)
    if (kind === 'StatefulSet') expect(replicas).toBe(1)
    else expect(find('ConfigMap')?.data?.['STORE']).toBe('s3')
  })
})

describe('The chart', () => {
  it('has settings that the service accepts, and gives it the time to stop', async () => {
    const values = z
      .object({ settings, terminationGracePeriodSeconds: z.number() })
      .parse(parse(await readFile(`${DEPLOY}/helm/landfall/values.yaml`, 'utf8')))
    const { DRAIN, SHUTDOWN_DELAY } = parseSettings(values.settings)
    expect(values.terminationGracePeriodSeconds).toBeGreaterThan(DRAIN + SHUTDOWN_DELAY)
  })

  it('has the version of the package', async () => {
    const { version } = parse(await readFile(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8'))
    const chart = parse(await readFile(`${DEPLOY}/helm/landfall/Chart.yaml`, 'utf8'))
    expect([chart.version, chart.appVersion]).toEqual([version, version])
  })
})
