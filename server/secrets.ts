import { Layout } from './disk/layout.ts'
import { folderSecrets } from './disk/secret.ts'
import { deriveKeys, type Keys } from './keys.ts'
import type { Settings } from './settings.ts'

/** What the service keeps secret. */
export interface Secrets {
  /** The key of the ids of WebUploader files and final uploads, and of visitors. */
  readonly ids: string
  readonly keys: Keys
}

/**
 * The secrets of a service: `SECRET`, or those of the data directory, which are created when they are missing.
 *
 * @param onNotice receives notices for the operator, one sentence each.
 * @throws Error with a sentence for the operator when they are not accessible or not trustworthy.
 */
export async function secretsOf(
  { SECRET, DATA_DIR }: Pick<Settings, 'SECRET' | 'DATA_DIR'>,
  onNotice: (sentence: string) => void = () => undefined,
): Promise<Secrets> {
  if (SECRET !== '') return { ids: SECRET, keys: deriveKeys(SECRET) }
  const { ids, keys } = await folderSecrets(new Layout(DATA_DIR), onNotice)
  return { ids, keys: deriveKeys(keys) }
}
