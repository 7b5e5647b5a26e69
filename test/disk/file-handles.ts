import { type FileHandle, open } from 'node:fs/promises'
import { jest } from '@jest/globals'

/** What all open files of this process have in common: where a call to the system can be held up, or made to fail. */
export async function fileHandles(): Promise<FileHandle> {
  const file = await open('/', 'r')
  await file.close()
  return Object.getPrototypeOf(file)
}

/** Holds up the next sync of a file's bytes. @returns what lets it go on. */
export async function holdNextSync(): Promise<() => void> {
  const handles = await fileHandles()
  const datasync = Reflect.get(handles, 'datasync')
  let letGo = (): void => undefined
  const asked = new Promise<void>((resolve) => {
    letGo = resolve
  })
  jest.spyOn(handles, 'datasync').mockImplementationOnce(async function (this: FileHandle) {
    await asked
    await datasync.call(this)
  })
  return letGo
}
