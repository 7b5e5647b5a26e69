/**
 * Every route and method with every kind of caller, generated from the table of routes: a new route is attacked as soon
 * as it exists.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { SignJWT } from 'jose'
import type { Endpoint } from '../../server/admission.ts'
import type { Route } from '../../server/route.ts'
import { type Handlers, routes } from '../../server/routes.ts'
import { startService, type TestService } from '../support/service.ts'
import { PATCH_HEADERS } from '../support/tus.ts'
import { connect, requestHead, until } from '../support/wire.ts'

const SECRET = 'a secret of the application, long enough'
const key = new TextEncoder().encode(SECRET)

// Only the table is read; none of its endpoints runs here.
const table: readonly Route[] = routes({ legacy: {}, pages: {}, instant: {} } as Handlers).flat()

type Protocol = 'tus' | 'draft' | 'none'

/** A request for a route. */
interface Attack {
  readonly title: string
  readonly method: string
  readonly endpoint: Endpoint
  readonly path: (id: string) => string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

const PROTOCOL_HEADERS: Readonly<Record<Protocol, Readonly<Record<string, string>>>> = {
  tus: { 'Tus-Resumable': '1.0.0' },
  draft: { 'Upload-Draft-Interop-Version': '8' },
  none: {},
}

/** Headers and bodies with which the requests of a method would succeed for the owner. */
const VALID: Readonly<Record<string, (protocol: Protocol) => Pick<Attack, 'headers' | 'body'>>> = {
  POST: (protocol) =>
    protocol === 'draft'
      ? { headers: { 'Upload-Complete': '?0', 'Upload-Length': '5' }, body: 'hel' }
      : { headers: { ...PROTOCOL_HEADERS.tus, 'Upload-Length': '5' }, body: undefined },
  PUT: () => ({ headers: { 'Upload-Complete': '?0', 'Upload-Length': '5' }, body: 'hel' }),
  PATCH: (protocol) =>
    protocol === 'draft'
      ? {
          headers: { 'Upload-Offset': '3', 'Upload-Complete': '?1', 'Content-Type': 'application/partial-upload' },
          body: 'lo',
        }
      : { headers: { 'Upload-Offset': '3', 'Content-Type': 'application/offset+octet-stream' }, body: 'lo' },
}

/** What the calls of legacy pages carry: the fields of a file, in the query. */
const FIELDS = 'task_id=task&name=a.txt&filename=a.txt&size=5&id=WU_FILE_0&lastModifiedDate=x&chunks=1&chunk=0'

function attacksOn({ method, path, answer }: Route): Attack[] {
  const endpoints: [Protocol, Endpoint][] =
    'needs' in answer ? [['none', answer]] : (['tus', 'draft', 'none'] as const).map((p) => [p, answer[p]])
  return endpoints.map(([protocol, endpoint]) => {
    const isLegacy = 'from' in endpoint && endpoint.from === 'fields'
    const query = isLegacy ? `?${FIELDS}` : path.endsWith('/digest') ? '?start=0&end=3' : ''
    const { headers = {}, body } = isLegacy
      ? { headers: { 'Content-Type': 'application/octet-stream' }, body: method === 'GET' ? undefined : 'hello' }
      : (VALID[method]?.(protocol) ?? { body: undefined })
    return {
      title: `${method} ${path}${'needs' in answer ? '' : ` (${protocol})`}`,
      method,
      endpoint,
      path: (id) => path.replace(':id', id) + query,
      headers: { ...PROTOCOL_HEADERS[protocol], ...headers },
      body,
    }
  })
}

const attacks = table.flatMap(attacksOn)
const guarded = attacks.filter(({ endpoint }) => endpoint.needs !== 'open')
const onUploads = guarded.filter(({ path }) => path('x') !== path('y'))

async function tokenOf(subject: string, more: { secret?: Uint8Array; expires?: number } = {}): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer('https://login.example')
    .setSubject(subject)
    .setExpirationTime(more.expires ?? Math.floor(Date.now() / 1000) + 3600)
    .sign(more.secret ?? key)
}

let service: TestService
let alice: string
let bob: string
/** The ids of Alice's uploads by their state; `unknown` never existed. */
const ids: Record<string, string> = { unknown: '0'.repeat(32) }

beforeAll(async () => {
  service = await startService({ AUTH: 'jwt', JWT_SECRET: SECRET, INSTANT: 'owner' })
  ;[alice, bob] = [await tokenOf('alice'), await tokenOf('bob')]
  ids['unfinished'] = await upload({ 'Upload-Length': '5' }, 'hel')
  ids['finished'] = await upload({ 'Upload-Length': '5' }, 'hello')
  ids['failed'] = await upload({ 'Upload-Length': '3', 'Upload-Metadata': `sha256 ${btoa('0'.repeat(64))}` }, 'hel')
  ids['removed'] = await upload({ 'Upload-Length': '5' }, 'hel')
  const removed = await send('DELETE', `/files/${ids['removed']}`, alice, PROTOCOL_HEADERS.tus)
  expect(removed.status).toBe(204)
})
afterAll(() => service.close())

/** Creates an upload of Alice. @returns its id. */
async function upload(headers: Readonly<Record<string, string>>, bytes: string): Promise<string> {
  const created = await send('POST', '/files', alice, { ...PROTOCOL_HEADERS.tus, ...headers })
  expect(created.status).toBe(201)
  const location = created.headers['location'] ?? ''
  const id = location.slice(location.lastIndexOf('/') + 1)
  await send(
    'PATCH',
    `/files/${id}`,
    alice,
    { ...PROTOCOL_HEADERS.tus, 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' },
    bytes,
  )
  return id
}

interface Seen {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

async function send(
  method: string,
  path: string,
  token: string | undefined,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<Seen> {
  const response = await fetch(service.url + path, {
    method,
    redirect: 'manual',
    headers: { ...headers, ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
    ...(body === undefined ? {} : { body }),
  })
  const all = Object.fromEntries(response.headers)
  for (const own of ['date', 'x-request-id']) delete all[own]
  return { status: response.status, headers: all, body: await response.text() }
}

function run(attack: Attack, id: string, token: string | undefined): Promise<Seen> {
  return send(attack.method, attack.path(id), token, attack.headers, attack.body)
}

/** How Alice sees her uploads. */
async function viewOfAlice(): Promise<readonly Seen[]> {
  const seen: Seen[] = []
  for (const id of Object.values(ids)) {
    for (const method of ['HEAD', 'GET']) {
      seen.push(await send(method, `/files/${id}`, alice, method === 'HEAD' ? PROTOCOL_HEADERS.tus : {}))
    }
  }
  return seen
}

it('The table has routes that need rights, and routes on uploads', () => {
  expect(guarded.length).toBeGreaterThan(15)
  expect(onUploads.length).toBeGreaterThan(10)
})

describe.each(['unfinished', 'finished', 'failed', 'removed'])('An upload of another owner that is %s', (state) => {
  it.each(onUploads.map((attack) => [attack.title, attack] as const))(
    'is like an unknown one: %s',
    async (_, attack) => {
      const before = await viewOfAlice()
      const unknown = await run(attack, ids['unknown'] ?? '', bob)
      expect(await run(attack, ids[state] ?? '', bob)).toEqual(unknown)
      // Without a protocol header, a PATCH lacks the version of tus.
      expect(unknown.status).toBe(attack.title === 'PATCH /files/:id (none)' ? 412 : 404)
      expect(await viewOfAlice()).toEqual(before)
    },
  )
})

it('Another owner does not end the request that is uploading', async () => {
  const created = await send('POST', '/files', alice, { ...PROTOCOL_HEADERS.tus, 'Upload-Length': '6' })
  const { pathname } = new URL(created.headers['location'] ?? '', service.url)
  const wire = await connect(service.url)
  await wire.send(
    requestHead('PATCH', pathname, {
      ...PATCH_HEADERS,
      Authorization: `Bearer ${alice}`,
      'Upload-Offset': '0',
      'Content-Length': '6',
    }),
    'abc',
  )
  const offset = async (): Promise<string | undefined> =>
    (await send('HEAD', pathname, alice, PROTOCOL_HEADERS.tus)).headers['upload-offset']
  await until(async () => (await offset()) === '3')
  for (const attack of onUploads) await run(attack, pathname.slice('/files/'.length), bob)
  await wire.send('def')
  expect((await wire.answer('PATCH')).status).toBe(204)
  await wire.cut()
})

/** Credentials that admit no one. */
const STRANGERS: Readonly<Record<string, () => Promise<string | undefined>>> = {
  'without a token': async () => undefined,
  'with an expired token': () => tokenOf('alice', { expires: Math.floor(Date.now() / 1000) - 3600 }),
  'with a token of another key': () => tokenOf('alice', { secret: new TextEncoder().encode('x'.repeat(40)) }),
  'with a token that is no token': async () => 'alice',
}

describe.each(Object.entries(STRANGERS))('A caller %s', (_, tokenFor) => {
  it.each(guarded.map((attack) => [attack.title, attack] as const))('is not admitted: %s', async (title, attack) => {
    const token = await tokenFor()
    const answers = await Promise.all(Object.values(ids).map((id) => run(attack, id, token)))
    for (const answer of answers) expect(answer).toEqual(answers[0])
    if (title === 'POST /check') {
      // A page whose check fails never starts uploading.
      expect(answers[0]).toMatchObject({ status: 200, body: '{"file_list":[[]]}' })
    } else {
      expect(answers[0]?.status).toBe(401)
      expect(answers[0]?.headers['www-authenticate']).toMatch(/^Bearer/)
    }
  })
})

describe('Rights', () => {
  const ALL = ['create', 'write', 'read', 'delete', 'ask'] as const

  it.each(guarded.map((attack) => [attack.title, attack] as const))(
    'that an endpoint does not need do not open it: %s',
    async (title, attack) => {
      const { needs } = attack.endpoint
      const others = ALL.filter((action) => !needs.includes(action))
      const token = await new SignJWT({ landfall: { may: others } })
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer('https://login.example')
        .setSubject('alice')
        .setExpirationTime('1h')
        .sign(key)
      const answer = await run(attack, ids['unfinished'] ?? '', token)
      if (title === 'POST /check') expect(answer).toMatchObject({ status: 200, body: '{"file_list":[[]]}' })
      else expect(answer.status).toBe(403)
    },
  )
})
