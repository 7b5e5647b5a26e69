import { type Line, parseLog } from './recorder-log.ts'

/** The arguments of strace for output that `parseTrace` understands. */
export const STRACE = [
  ...['strace', '-D', '-f', '-y', '-s', '12', '-e'],
  'trace=?open,openat,close,write,pwrite64,writev,pwritev,sendto,?truncate,ftruncate,fsync,fdatasync,?rename,renameat,renameat2,?unlink,unlinkat,?mkdir,mkdirat,?rmdir',
]

/** A system call, with the lines of its begin and its return. */
interface Call {
  readonly name: string
  readonly args: string
  /** Its result; `undefined` if that was not seen. */
  readonly result: number | undefined
  readonly begin: number
  readonly end: number
}

/**
 * Converts the output of strace into a recording, like that of `recorder.mjs`. Bytes are replaced by zeros; a response
 * has only its status. Calls that other threads interrupt are rejoined.
 */
export function parseTrace(text: string): Line[] {
  const opened = new Map<number, { id: string; position: number }>()
  const lines: { readonly place: number; readonly line: unknown }[] = []
  for (const call of [...callsIn(text)].sort((a, b) => a.end - b.end)) {
    const id = String(call.begin)
    const operation = operationOf(call, opened)
    if (operation === undefined) continue
    if ('status' in operation) {
      lines.push({ place: call.begin, line: { at: 'answer', id, headers: {}, body: '', ...operation } })
      continue
    }
    lines.push({ place: call.begin, line: { at: 'begin', id, ...operation } })
    if (call.result === undefined) continue
    const failed = call.result < 0
    lines.push({ place: call.end + 0.5, line: { at: failed ? 'failed' : 'end', id } })
    if (operation['op'] === 'open' && !failed) opened.set(call.result, { id, position: 0 })
  }
  return parseLog(
    lines
      .sort((a, b) => a.place - b.place)
      .map(({ line }) => JSON.stringify(line))
      .join('\n'),
  )
}

const WHOLE = /^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)/
const BEGUN = /^(\d+) +(\w+)\((.*?),? <unfinished \.\.\.>$/
const RESUMED = /^(\d+) +<\.\.\. \w+ resumed>(.*)\) += (-?\d+|\?)/

function* callsIn(text: string): Generator<Call> {
  const begun = new Map<string, { name: string; args: string; begin: number }>()
  for (const [i, line] of text.split('\n').entries()) {
    const [, thread = '', name = '', args = '', result = '?'] = WHOLE.exec(line) ?? []
    if (name !== '') yield { name, args, result: resultOf(result), begin: i, end: i }
    const [, unfinished, its = '', first = ''] = BEGUN.exec(line) ?? []
    if (unfinished !== undefined) begun.set(unfinished, { name: its, args: first, begin: i })
    const [, resumed = thread, rest = '', value = '?'] = RESUMED.exec(line) ?? []
    const known = begun.get(resumed)
    if (known === undefined || resumed === thread) continue
    begun.delete(resumed)
    yield { ...known, args: `${known.args}${rest}`, result: resultOf(value), end: i }
  }
  for (const known of begun.values()) yield { ...known, result: undefined, end: Number.POSITIVE_INFINITY }
}

function resultOf(text: string): number | undefined {
  return text === '?' ? undefined : Number(text)
}

type Opened = Map<number, { readonly id: string; position: number }>
/** In the format of `parseLog`. */
type Traced = Readonly<Record<string, string | number>>

function operationOf({ name, args, result }: Call, opened: Opened): Traced | undefined {
  const [path = '', to = ''] = [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text)
  const descriptor = Number(/^\d+/.exec(args)?.[0] ?? -1)
  const file = opened.get(descriptor)
  switch (name) {
    case 'open':
    case 'openat':
      return { op: 'open', path, flags: flagsOf(args) }
    case 'close':
      opened.delete(descriptor)
      return undefined
    case 'fsync':
    case 'fdatasync':
      return file && { op: 'sync', handle: file.id, what: name === 'fsync' ? 'all' : 'data' }
    case 'ftruncate':
      return file && { op: 'truncate', handle: file.id, length: lastNumber(args) }
    case 'rename':
    case 'renameat':
    case 'renameat2':
      return { op: 'rename', from: path, to }
    case 'unlink':
    case 'unlinkat':
    case 'rmdir':
      return { op: 'remove', path }
    case 'mkdir':
    case 'mkdirat':
      return { op: 'mkdir', path }
    case 'pwrite64':
    case 'pwritev':
      return file && writing(file.id, lastNumber(args), result)
    case 'write':
    case 'writev':
    case 'sendto': {
      const status = /^\d+<(?:socket|TCP)[^>]*>.*"HTTP\/1\.1 (\d{3})/.exec(args)?.[1]
      if (status !== undefined) return { status: Number(status) }
      if (file === undefined) return undefined
      const operation = writing(file.id, file.position, result)
      file.position += result ?? 0
      return operation
    }
    default:
      return undefined
  }
}

function writing(handle: string, position: number, written = 0): Traced {
  const bytes = Buffer.alloc(Math.max(0, written)).toString('base64')
  return { op: 'write', handle, position, bytes }
}

function flagsOf(args: string): string {
  if (!args.includes('O_CREAT')) return 'r'
  return args.includes('O_EXCL') ? 'wx' : 'w'
}

function lastNumber(args: string): number {
  return Number(/(\d+)$/.exec(args)?.[1])
}
