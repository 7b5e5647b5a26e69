import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'

const manifest = z.object({ version: z.string() })

/** The version of this package, and the revision that its image was built from. */
export interface Version {
  readonly version: string
  /** Of the source; empty if it is unknown. */
  readonly revision: string
}

/** @throws Error if the package is incomplete. */
export function versionOf(environment: Readonly<Partial<Record<string, string>>> = process.env): Version {
  // The sources and the builds are at different depths.
  const file = ['../package.json', '../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(url))
  if (file === undefined) throw new Error('package.json is missing.')
  const { version } = manifest.parse(JSON.parse(readFileSync(file, 'utf8')))
  return { version, revision: environment['LANDFALL_REVISION'] ?? '' }
}

/** One line: the version, the revision, and Node. */
export function versionLine({ version, revision }: Version): string {
  return `Landfall ${version}${revision === '' ? '' : ` (${revision})`}, Node ${process.version}`
}
