import { z } from 'zod'

const id = z.string()
const operation = z.discriminatedUnion('op', [
  z.object({ at: z.literal('begin'), id, op: z.literal('open'), path: z.string(), flags: z.string() }),
  z.object({ at: z.literal('begin'), id, op: z.literal('write'), handle: id, position: z.number(), bytes: z.base64() }),
  z.object({ at: z.literal('begin'), id, op: z.literal('truncate'), handle: id, length: z.number() }),
  z.object({ at: z.literal('begin'), id, op: z.literal('sync'), handle: id, what: z.enum(['data', 'all']) }),
  z.object({ at: z.literal('begin'), id, op: z.literal('mkdir'), path: z.string() }),
  z.object({ at: z.literal('begin'), id, op: z.literal('remove'), path: z.string() }),
  z.object({ at: z.literal('begin'), id, op: z.literal('rename'), from: z.string(), to: z.string() }),
])
const headers = z.record(z.string(), z.union([z.string(), z.number(), z.array(z.string())]))
const line = z.union([
  operation,
  z.object({ at: z.literal('end'), id, written: z.number().optional() }),
  z.object({ at: z.literal('failed'), id }),
  z.object({ at: z.literal('reboot') }),
  z.object({ at: z.literal('request'), id, method: z.string(), url: z.string(), headers }),
  z.object({ at: z.literal('answer'), id, status: z.number(), headers, body: z.string() }),
])

/** The beginning of an operation on the data directory. */
export type Operation = z.infer<typeof operation>
/** One line of the output of `recorder.mjs`. */
export type Line = z.infer<typeof line>

/** @throws ZodError when the text is not a recording. */
export function parseLog(text: string): Line[] {
  return text
    .split('\n')
    .filter((each) => each !== '')
    .map((each) => line.parse(JSON.parse(each)))
}
