import { z } from 'zod'
import { interrupted, uploadLine } from '../admin/contract.ts'
import { type AdminConnection, onNodeThatHas } from './admin-connection.ts'
import { type CliCommand, CONNECTION_HELP, cliCommand } from './cli-command.ts'
import { CliError, EXIT, usage } from './exit-codes.ts'

interface Act {
  readonly name: string
  readonly help: string
  /** @returns what has happened, for people and as JSON. */
  readonly run: (admin: AdminConnection, place: string) => Promise<readonly [sentence: string, json: object]>
}

/** A command that does the same to each of some uploads, and continues after errors. */
function actOn({ name, help, run }: Act): CliCommand {
  return cliCommand({
    help: `landfall ${name} ID ...\n\n${help}\n\n${CONNECTION_HELP}\n`,
    run: async ({ nodes, print, complain, isJson, positionals }) => {
      if (positionals.length === 0) throw usage(`landfall ${name} takes the ids of uploads.`)
      const all = nodes()
      let code: number = EXIT.done
      for (const id of positionals) {
        try {
          const [sentence, json] = await onNodeThatHas(all, (node) => run(node, `/uploads/${encodeURIComponent(id)}`))
          print(isJson ? JSON.stringify({ id, ...json }) : `${id}: ${sentence}`)
        } catch (error) {
          if (!(error instanceof CliError)) throw error
          code = error.exitCode
          complain(`${id}: ${error.message}`)
        }
      }
      return code
    },
  })
}

const done = z.undefined()

export const rm = actOn({
  name: 'rm',
  help: 'Deletes uploads, finished or not. Their running requests end.',
  run: async (admin, place) => {
    await admin.call(done, 'DELETE', place)
    return ['deleted', { deleted: true }]
  },
})

export const cancel = actOn({
  name: 'cancel',
  help: 'Deletes unfinished uploads. Their running requests end. A complete file stays.',
  run: async (admin, place) => {
    await admin.call(done, 'DELETE', `${place}?onlyUnfinished=true`)
    return ['cancelled', { deleted: true }]
  },
})

export const interrupt = actOn({
  name: 'interrupt',
  help: 'Ends the requests that send bytes to uploads. The bytes stay, and clients may resume.',
  run: async (admin, place) => {
    const { requests } = await admin.call(interrupted, 'POST', `${place}/interrupt`)
    return [`interrupted requests: ${requests}`, { requests }]
  },
})

export const extend = actOn({
  name: 'extend',
  help: 'Makes the time until unfinished uploads expire (EXPIRES_AFTER) begin again.',
  run: async (admin, place) => {
    const line = await admin.call(uploadLine, 'POST', `${place}/extend`)
    return [`expires ${line.expiresAt ?? 'with others'}`, line]
  },
})

export const finish = actOn({
  name: 'finish',
  help: 'Tries again at once to finish complete uploads, or to have them scanned.',
  run: async (admin, place) => {
    const line = await admin.call(uploadLine, 'POST', `${place}/finish`)
    return [line.state, line]
  },
})

export const release = actOn({
  name: 'release',
  help: 'Makes the files of rejected uploads after all, if their bytes are in quarantine.',
  run: async (admin, place) => {
    const line = await admin.call(uploadLine, 'POST', `${place}/release`)
    return [line.state, line]
  },
})
