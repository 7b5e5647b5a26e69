import { type FileHandle, open } from 'node:fs/promises'
import { jest } from '@jest/globals'

/** What all open files of this process have in common: where a call to the system can be held up, or made to fail. */
export async function fileHandles(): Promise<FileHandle> {
  const file = await open('/', 'r')
  await file.close()
  return Object.getPrototypeOf(file)
}

/** Holds up the next call of this kind to any file. @returns what lets it go on. */
export async function holdNext(call: 'datasync' | 'writeFile'): Promise<() => void> {
  const handles = await fileHandles()
  const real = Reflect.get(handles, call)
  let letGo = (): void => undefined
  const asked = new Promise<void>((resolve) => {
    letGo = resolve
  })
  jest.spyOn(handles, call).mockImplementationOnce(async function (this: FileHandle, ...given: unknown[]) {
    await asked
    await Reflect.apply(real, this, given)
  })
  return letGo
}
