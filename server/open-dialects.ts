import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { FilePond } from '../legacy-adapter/dialects/filepond.ts'
import type { Termination } from '../legacy-adapter/dialects/handlers.ts'
import { openDialect } from '../legacy-adapter/dialects/open-dialect.ts'
import { pageError } from '../legacy-adapter/dialects/page-error.ts'
import { dialectRoutes } from '../legacy-adapter/dialects/routes.ts'
import { type Dialect, parseDialectText } from '../legacy-adapter/dialects/schema.ts'
import { Scratch } from '../legacy-adapter/dialects/scratch.ts'
import { SHIPPED_NAMES, shippedDialect } from '../legacy-adapter/dialects/shipped.ts'
import type { Tools } from '../legacy-adapter/tools.ts'
import { systemCode } from './core/errors.ts'
import { Headroom } from './core/headroom.ts'
import type { Dialects } from './dialects.ts'
import { spaceOf } from './disk/space.ts'
import type { DialectChoice } from './settings-schemas.ts'

/** Paths of the service itself. */
const TAKEN =
  /^\/(?:files|check|legacy|session|tokens|healthz|livez|readyz|assets|static|upload\/(?:accept|complete))(?:\/|$)/

/**
 * Reads the dialects of the setting.
 *
 * @throws Error with a sentence for each fault, one a line.
 */
export async function readDialects(choices: readonly DialectChoice[]): Promise<readonly Dialect[]> {
  const dialects: Dialect[] = []
  const faults: string[] = []
  for (const choice of choices) {
    try {
      const dialect = await readDialect(choice.source)
      dialects.push(choice.path === undefined ? dialect : { ...dialect, path: choice.path })
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error))
    }
  }
  const owners = new Map<string, string>()
  for (const { name, path } of dialects) {
    if (TAKEN.test(path)) faults.push(`DIALECTS: the path ${path} of ${name} is one of the service itself.`)
    for (const [other, owner] of owners) {
      const isBelow = path === other || path.startsWith(`${other}/`) || other.startsWith(`${path}/`)
      if (isBelow) faults.push(`DIALECTS: the paths ${other} of ${owner} and ${path} of ${name} overlap.`)
    }
    owners.set(path, name)
  }
  if (faults.length > 0) throw new Error(faults.join('\n'))
  return dialects
}

/** A dialect of the package by its name, or one in a file. @throws Error with a sentence for each fault, one a line. */
export async function readDialect(source: string): Promise<Dialect> {
  if (!source.endsWith('.json')) {
    const shipped = await shippedDialect(source)
    if (shipped !== undefined) return shipped
    throw new Error(
      `DIALECTS: there is no dialect ${source}; there are ${SHIPPED_NAMES.join(', ')}, and files that end in .json.`,
    )
  }
  let text: string
  try {
    text = await readFile(source, 'utf8')
  } catch (error) {
    throw new Error(`DIALECTS: ${source} cannot be read (${systemCode(error)}).`)
  }
  return parseDialectText(path.basename(source), text)
}

/** Holds files in a directory of the service, while so much of its disk stays free. Bytes. */
export function scratchIn(folder: string, minFree: number, minFreeInodes: number): Scratch {
  return new Scratch(folder, new Headroom(() => spaceOf(folder), minFree, minFreeInodes))
}

/**
 * Prepares dialects for requests.
 *
 * @param tools those of the adapter for WebUploader.
 * @throws Error with a sentence for the operator.
 */
export function openDialects(
  dialects: readonly Dialect[],
  tools: Tools,
  termination: Termination,
  scratch: Scratch,
): Dialects {
  const { tokenField } = tools.options
  const opened = dialects.map((dialect) => {
    const open = openDialect(dialect, tools, scratch)
    if (tokenField !== undefined && open.read.includes(tokenField)) {
      throw new Error(`AUTH_FIELD must not name a field of the dialect ${dialect.name}.`)
    }
    const routes =
      dialect.code === 'filepond' ? new FilePond(open, termination).routes() : dialectRoutes(open, termination)
    return { dialect, routes }
  })
  const find = (path: string): Dialect | undefined =>
    opened.find(({ dialect }) => path === dialect.path || path.startsWith(`${dialect.path}/`))?.dialect
  return {
    routes: opened.flatMap(({ routes }) => routes),
    owns: (path) => find(path) !== undefined,
    errorFor: ({ path, method }, error) => {
      const dialect = find(path)
      return dialect === undefined ? undefined : pageError(error, method, dialect)
    },
  }
}
