import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it, test } from '@jest/globals'
import fc from 'fast-check'
import Koa, { type Context } from 'koa'
import { type ForwardedRequest, forwardedRequest, type TrustProxy } from '../../server/http/forwarded.ts'
import { methodOverride } from '../../server/http/method-override.ts'
import { atOnce } from '../support/at-once.ts'

function contextWith(headers: Readonly<Record<string, string>>, method = 'GET'): Context {
  const request = new IncomingMessage(new Socket())
  request.method = method
  Object.assign(request.headers, headers)
  return new Koa().createContext(request, new ServerResponse(request))
}

function said(trust: TrustProxy, headers: Readonly<Record<string, string>>): ForwardedRequest {
  return forwardedRequest(contextWith(headers), trust)
}

const address = fc.oneof(fc.ipV4(), fc.ipV6())
const scheme = fc.constantFrom('http', 'https')
const anything = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) }),
  fc
    .array(
      fc.constantFrom('for', '=', '"', '\\', ';', ',', ' ', '[', ']', ':', '::1', 'proto', 'https', '_x', '1.2.3.4'),
    )
    .map((parts) => parts.join('')),
)

/**
 * One element of Forwarded (RFC 7239 §4): IPv6 in brackets and quoted; ports, and some other values, are quoted, too.
 */
const element = fc
  .record({
    address,
    scheme,
    port: fc.option(fc.nat(65_535)),
    isQuoted: fc.boolean(),
    by: fc.option(fc.constantFrom('by="a,b;for=9.9.9.9"', 'by=_secret', 'host="x\\"y"')),
    names: fc.constantFrom(['for', 'proto'], ['For', 'PROTO']),
    isTurned: fc.boolean(),
    has: fc.constantFrom('both', 'both', 'for', 'proto'),
  })
  .map(({ address: one, scheme: two, port, isQuoted, by, names, isTurned, has }) => {
    const node = `${one.includes(':') ? `[${one}]` : one}${port === null ? '' : `:${port}`}`
    const mustQuote = isQuoted || /[:[]/.test(node)
    const pairs = [
      ...(has === 'proto' ? [] : [`${names[0]}=${mustQuote ? `"${node}"` : node}`]),
      ...(has === 'for' ? [] : [`${names[1]}=${two}`]),
      ...(by === null ? [] : [by]),
    ]
    return {
      address: has === 'proto' ? '' : one,
      scheme: has === 'for' ? 'http' : two,
      text: (isTurned ? pairs.toReversed() : pairs).join(';'),
    }
  })

describe('The information of a proxy', () => {
  it('is the last element of Forwarded, whatever precedes it', () => {
    fc.assert(
      fc.property(fc.array(element), element, fc.constantFrom(',', ', '), (before, last, comma) => {
        const header = [...before, last].map(({ text }) => text).join(comma)
        expect(said('forwarded', { forwarded: header })).toMatchObject({
          address: last.address,
          isSecure: last.scheme === 'https',
          prefix: '',
        })
      }),
    )
  })

  it('is the last element of X-Forwarded-*, with a prefix that is a plain path', () => {
    const part = fc.stringMatching(/^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,8}$/)
    const prefix = fc.array(part, { maxLength: 4 }).map((parts) => parts.map((one) => `/${one}`).join(''))
    fc.assert(
      fc.property(
        fc.array(anything),
        address,
        scheme,
        prefix,
        fc.constantFrom('', '/'),
        (before, last, proto, path, end) => {
          const list = (one: string): string => [...before, one].join(', ')
          const headers = {
            'x-forwarded-for': list(last),
            'x-forwarded-proto': list(proto),
            'x-forwarded-prefix': list(path + end),
          }
          expect(said('true', headers)).toEqual({ address: last, isSecure: proto === 'https', prefix: path })
        },
      ),
    )
  })

  it('yields only valid addresses, and only paths as prefixes', () => {
    fc.assert(
      fc.property(anything, fc.constantFrom<TrustProxy>('true', 'forwarded'), (text, trust) => {
        const names = ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-prefix']
        const request = said(trust, Object.fromEntries(names.map((name) => [name, text])))
        expect(request.address).toMatch(/^[0-9a-fA-F:.]*$/)
        expect(request.prefix).toMatch(/^(?:\/[A-Za-z0-9._~-]+)*$/)
        expect(new URL(`${request.prefix}/files`, 'http://here.example').href).toBe(
          `http://here.example${request.prefix}/files`,
        )
      }),
      { numRuns: 500 },
    )
  })

  it('is ignored if no proxy is trusted', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const names = ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-prefix']
        const request = said('false', Object.fromEntries(names.map((name) => [name, text])))
        expect(request).toEqual({ address: '', isSecure: false, prefix: '' })
      }),
    )
  })
})

test.each([
  ['true', { 'x-forwarded-prefix': `${'/'.repeat(300_000)}x` }],
  ['true', { 'x-forwarded-for': `1.2.3.4${' '.repeat(300_000)}x` }],
  ['forwarded', { forwarded: `for=1.2.3.4${' '.repeat(300_000)}x` }],
  ['forwarded', { forwarded: ',a="'.repeat(100_000) }],
] as const)('A forged header to a service that trusts %s is read in linear time', async (trust, headers) => {
  expect((await atOnce(() => said(trust, headers))).prefix).toBe('')
})

describe('X-HTTP-Method-Override', () => {
  const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'PUT', 'OPTIONS')
  const asked = fc.oneof(
    method,
    method.map((name) => name.toLowerCase()),
    anything,
  )

  it('turns a POST into OPTIONS, HEAD, PATCH, or DELETE, and changes no other method', async () => {
    await fc.assert(
      fc.asyncProperty(method, asked, async (original, override) => {
        const ctx = contextWith({ 'x-http-method-override': override }, original)
        const wanted = override.toUpperCase()
        const isMade = original === 'POST' && ['OPTIONS', 'HEAD', 'PATCH', 'DELETE'].includes(wanted)
        const work = async (): Promise<string> => {
          await methodOverride(ctx, async () => undefined)
          return ctx.method
        }
        if (isMade) expect(await work()).toBe(wanted)
        else if (wanted === '' || wanted === original) expect(await work()).toBe(original)
        else await expect(work()).rejects.toMatchObject({ code: 'unsupported_method' })
      }),
    )
  })
})
