import { z } from 'zod'
import { missedEvent, uploadEvent } from '../admin/contract.ts'
import type { AdminConnection } from './admin-connection.ts'
import { CONNECTION_HELP, cliCommand } from './cli-command.ts'
import { printable, share, size } from './columns.ts'
import { CliError, EXIT, usage } from './exit-codes.ts'

const WATCH_HELP = `landfall watch [ID]

Prints what happens to uploads, or to one, until it is interrupted (Ctrl+C).

${CONNECTION_HELP}

With --json, each line is an event.
`

export const watch = cliCommand({
  help: WATCH_HELP,
  run: async ({ nodes, print, isJson, positionals: [id, ...others] }) => {
    if (others.length > 0) throw usage('landfall watch takes the id of one upload, or none.')
    const query = id === undefined ? '' : `?${new URLSearchParams({ upload: id })}`
    const printAll = async (node: AdminConnection): Promise<void> => {
      for await (const { event, data } of eventsIn(await node.stream(`/events${query}`))) {
        if (event === 'stats') continue
        const line = isJson ? JSON.stringify({ event, data }) : lineOf(event, data)
        print(line)
      }
    }
    await Promise.race(nodes().map(printAll))
    throw new CliError('The service has ended the stream of events.', EXIT.unavailable)
  },
})

function lineOf(event: string, data: unknown): string {
  if (event === 'missed') return `… and ${missedEvent.parse(data).count} more events`
  const { type, at, upload, rate } = uploadEvent.parse(data)
  const done = `${size(upload.received)} of ${size(upload.size)} (${share(upload.received, upload.size)})`
  const speed = rate > 0 ? `, ${size(rate)}/s` : ''
  return `${at} ${type.padEnd(8)} ${upload.id} ${upload.state} ${done}${speed} ${printable(upload.name)}`
}

/** An event of a stream of server-sent events. */
const block = /^event: (\w+)\ndata: (.*)$/s

async function* eventsIn(stream: ReadableStream<Uint8Array>): AsyncGenerator<{ event: string; data: unknown }> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of readAll(stream)) {
    text += decoder.decode(bytes, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, event, data] = block.exec(text.slice(0, end)) ?? []
      text = text.slice(end + 2)
      if (event !== undefined && data !== undefined) yield { event, data: z.unknown().parse(JSON.parse(data)) }
    }
  }
}

async function* readAll(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } catch {
    // The service has ended.
  }
}
