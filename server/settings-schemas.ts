import { isIPv6 } from 'node:net'
import { z } from 'zod'
import { templateProblem } from './core/folder.ts'
import { isNodeName } from './core/node-id.ts'
import { isFileType } from './gate/file-types.ts'
import { HOOK_NAMES, type HookName } from './hooks/hook-names.ts'
import { parseAuthority } from './http/host.ts'
import { isPath, plainPath } from './http/mount-path.ts'
import { keyTemplateProblem } from './s3/key-template.ts'
import { keyOf } from './webhooks/signature.ts'

// What the texts of settings may be. Each message is the end of a sentence that begins with the name of the setting.

export function ownSecret() {
  const advice =
    'must have at least 32 characters; make one with: openssl rand -hex 32. ' +
    'To keep the ids of WebUploader files, move a shorter one into DATA_DIR/secret instead'
  return z.string().refine((text) => text === '' || text.length >= 32, advice)
}

export function nonEmpty() {
  return z.string().regex(/\S/, 'must not be empty')
}

export function wholeBetween(least: number, most: number) {
  const isWithin = (text: string): boolean => /^\d{1,16}$/.test(text) && Number(text) >= least && Number(text) <= most
  return z.string().refine(isWithin, `must be a whole number from ${least} to ${most}`).transform(Number)
}

/** Permissions that have the `needed` bits, and none of the `refused` ones. */
export function mode(needed: number, refused: number, message: string) {
  const isGood = (text: string): boolean => {
    const bits = /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : 0
    return (bits & needed) === needed && (bits & (refused | 0o002)) === 0
  }
  return z
    .string()
    .refine(isGood, message)
    .transform((text) => Number.parseInt(text, 8))
}

export function sizeLimit() {
  return wholeBetween(0, Number.MAX_SAFE_INTEGER).transform((bytes) => (bytes === 0 ? Number.POSITIVE_INFINITY : bytes))
}

export function oneOf<const T extends string>(...values: readonly T[]) {
  return z.enum(values, `must be one of ${values.join(', ')}`)
}

export function names() {
  const name = z.string().trim().min(1, 'must be names separated by commas')
  return z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(name))
}

/** A dialect of the package or a file, and the path at which it is served, if that is not its own. */
export interface DialectChoice {
  readonly source: string
  readonly path: string | undefined
}

/** Dialects, separated by commas; empty for none. */
export function dialects() {
  const choice = z.string().transform((text, context): DialectChoice => {
    const [, source, path] = /^(.+?)(?::(\/.*))?$/s.exec(text) ?? []
    if (source !== undefined && (path === undefined || (path !== '' && plainPath(path) === path)))
      return { source, path }
    context.addIssue(
      `must be names or files, each with or without a path, like flow or page.json:/upload/page, not ${text}`,
    )
    return z.NEVER
  })
  const none = z.literal('').transform((): DialectChoice[] => [])
  return z.union([none, names().pipe(z.array(choice))], { error: ({ errors }) => errors?.at(-1)?.[0]?.message })
}

/** `*` for all, or a set of entries, separated by commas. */
export function allOrSome(entry: z.ZodType<string, string>) {
  const all = z.string().trim().pipe(z.literal('*'))
  const none = z
    .string()
    .trim()
    .length(0)
    .transform(() => new Set<string>())
  const some = names()
    .pipe(z.array(entry))
    .transform((entries) => new Set(entries))
  return z.union([all, none, some], { error: ({ errors }) => errors?.at(-1)?.[0]?.message })
}

export function origin() {
  return z.string().refine((text) => !text.includes('*') && URL.canParse(text) && new URL(text).origin === text, {
    error: ({ input }) => `must be origins like https://example.com, each in full and without *, not ${input}`,
  })
}

export function host() {
  return z.string().transform((name, context) => {
    const authority = parseAuthority(isIPv6(name) ? `[${name}]` : name)
    if (authority !== undefined && authority.port === '' && !name.endsWith(':')) return authority.host
    context.addIssue(`must be host names like uploads.example.com, without scheme, port, or *, not ${name}`)
    return z.NEVER
  })
}

/** Extensions and MIME types, in lower case, separated by commas; empty for all. */
export function fileTypes() {
  const type = z.string().refine(isFileType, {
    error: ({ input }) =>
      `must be extensions like .jpg, known MIME types like image/png, or kinds like image/*, not ${input}`,
  })
  const none = z.literal('').transform((): string[] => [])
  return z.union([none, names().pipe(z.array(z.string().toLowerCase().pipe(type)))], {
    error: ({ errors }) => errors?.at(-1)?.[0]?.message,
  })
}

/** A template for folders; empty for none. */
export function folderTemplate() {
  return z.string().superRefine((template, context) => {
    const problem = template === '' ? undefined : templateProblem(template)
    if (problem !== undefined) context.addIssue(problem)
  })
}

/** Where the keys of S3 objects begin. */
export function keyPrefix() {
  return z
    .string()
    .regex(
      /^(?:[A-Za-z0-9!_.*'()-]+\/)*$/,
      "must be like landfall/: segments of letters, digits, and !_.*'()-, each with a slash",
    )
}

/** The template of the keys of finished files. */
export function keyTemplate() {
  return z.string().superRefine((template, context) => {
    const problem = keyTemplateProblem(template)
    if (problem !== undefined) context.addIssue(problem)
  })
}

/** A program and its arguments; `undefined` for none. */
export function command() {
  return z.string().transform((text): readonly [string, ...string[]] | undefined => {
    const [program = '', ...args] = text.trim().split(/\s+/)
    return program === '' ? undefined : [program, ...args]
  })
}

/** A set of hooks, separated by commas. */
export function hookNames() {
  return names()
    .pipe(z.array(oneOf(...HOOK_NAMES)))
    .transform((hooks): ReadonlySet<HookName> => new Set(hooks))
}

/** Headers that frame a message, or that a message to another host has itself. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Names of headers, separated by commas; empty for none. */
export function forwardedHeaders() {
  const header = z.string().refine((name) => /^[A-Za-z0-9-]+$/.test(name) && !OWN_HEADERS.has(name.toLowerCase()), {
    error: ({ input }) => `must be names of headers, none of which concerns only one connection or body, not ${input}`,
  })
  const none = z.literal('').transform((): string[] => [])
  return z.union([none, names().pipe(z.array(header))], { error: ({ errors }) => errors?.at(-1)?.[0]?.message })
}

/** `undefined` for none. */
export function scanUrl() {
  return httpUrl().transform((text) => (text === '' ? undefined : new URL(text)))
}

/** A host and a port, or the path of a socket; `undefined` for none. */
export function socketAddress() {
  return z.string().transform((text, context) => {
    if (text === '') return undefined
    if (text.startsWith('/')) return { path: text }
    const authority = parseAuthority(text)
    if (authority !== undefined && authority.port !== '') {
      return { host: authority.host.replace(/^\[|\]$/g, ''), port: Number(authority.port) }
    }
    context.addIssue('must be host:port, or the path of a socket')
    return z.NEVER
  })
}

/** The path of a socket, short enough for every OS; empty for none. */
export function socketPath() {
  const isShort = (text: string): boolean => Buffer.byteLength(text) <= 100 && !text.includes('\0')
  return z.string().refine(isShort, 'must be a path of at most 100 bytes')
}

/** Empty for none. */
export function longSecret() {
  const isLong = (text: string): boolean => text === '' || Buffer.byteLength(text) >= 32
  return z.string().refine(isLong, 'must have at least 32 bytes')
}

/** A secret that clients send in a header; empty for none. */
export function headerSecret() {
  return z.string().regex(/^([\x21-\x7e]{32,})?$/, 'must have at least 32 characters of ASCII, without spaces')
}

/** Empty for none. */
export function httpUrl() {
  const isHttp = (text: string): boolean =>
    text === '' || (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))
  return z.string().refine(isHttp, 'must be a URL that begins with http:// or https://')
}

/** Never one of HMAC, whose secret would be public. */
export function publicKeyAlgorithms() {
  const algorithm = oneOf(
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
    'Ed25519',
  )
  return names().pipe(z.array(algorithm))
}

/** A token of RFC 9110; empty for none. */
export function cookieName() {
  return z.string().regex(/^[\w!#$%&'*+.^`|~-]*$/, 'must be the name of a cookie')
}

export function unownedUploads() {
  return z.string().transform((text, context) => {
    if (text === 'none' || text === 'everyone') return text
    const subject = /^sub:(.+)$/s.exec(text)?.[1]
    if (subject !== undefined) return { subject }
    context.addIssue('must be none, everyone, or sub:NAME')
    return z.NEVER
  })
}

/** Without a slash at its end; empty for none. */
export function publicUrl() {
  const isPublic = (text: string): boolean => {
    if (text === '') return true
    const url = URL.canParse(text) ? new URL(text) : undefined
    return url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === ''
  }
  return z
    .string()
    .refine(isPublic, 'must be a URL that begins with http:// or https://')
    .transform((text) => (text === '' ? '' : new URL(text).href.replace(/\/+$/, '')))
}

/** Different URLs, separated by commas; none by default. The message never contains one: it may contain a secret. */
export function webhookUrls() {
  return z.string().transform((text, context): readonly URL[] => {
    const urls = [...new Set(text.split(',').map((one) => one.trim()))].filter((one) => one !== '')
    const isGood = urls.every((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))
    if (isGood && urls.length <= 20) return urls.map((url) => new URL(url))
    context.addIssue('must be at most 20 URLs that begin with http:// or https://')
    return z.NEVER
  })
}

/** The pages of administrators of other nodes: `name=url`, separated by commas. */
export function adminNodes() {
  return z.string().transform((text, context): readonly { readonly name: string; readonly url: string }[] => {
    const pairs = text.split(',').flatMap((pair) => (pair.trim() === '' ? [] : [pair.trim()]))
    const nodes = pairs.map((pair) => {
      const at = pair.indexOf('=')
      return { name: pair.slice(0, Math.max(0, at)), url: pair.slice(at + 1) }
    })
    const isGood = nodes.every(
      ({ name, url }) => /^[\w.:-]{1,100}$/.test(name) && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol),
    )
    if (isGood && nodes.length <= 100) return nodes
    context.addIssue(
      'must be at most 100 names with URLs, such as a=http://127.0.0.1:9090/admin,b=http://127.0.0.1:9091/admin',
    )
    return z.NEVER
  })
}

/** Secrets of Standard Webhooks, separated by spaces; empty for none. */
export function webhookKeys() {
  const areGood = (text: string): boolean => text === '' || text.split(/ +/).every((one) => keyOf(one) !== undefined)
  return z.string().trim().refine(areGood, 'must be whsec_ and 24 to 64 bytes in base64')
}

/** `undefined` for none. */
export function optionalPort() {
  return z.union([z.literal('').transform(() => undefined), wholeBetween(0, 65_535)], {
    error: ({ errors }) => errors?.at(-1)?.[0]?.message,
  })
}

/** A value of a label; empty for the default. */
/** The name of a node of several; empty for none. */
export function node() {
  return z.string().refine((text) => text === '' || isNodeName(text), 'must be one to four letters from a to z')
}

export function nodeName() {
  return z.string().regex(/^[\w.:-]{0,100}$/, 'must have at most 100 letters, digits, and . : _ -')
}

/** The name and the value of a claim; `undefined` for none. */
export function claim() {
  return z.string().transform((text, context): { readonly name: string; readonly value: string } | undefined => {
    if (text === '') return undefined
    const [, name = '', value = ''] = /^([^=]+)=(.+)$/s.exec(text) ?? []
    if (name !== '') return { name, value }
    context.addIssue('must be the name and the value of a claim, such as role=admin')
    return z.NEVER
  })
}

/** Without a slash at its end; empty for none. */
export function basePath() {
  const message = 'must be a path like /uploads, without a slash at its end'
  return z.string().refine((text) => text === '' || isPath(text), message)
}
