import { type ChosenFile, plainFile } from './chosen-file.ts'

/**
 * Opens the file dialogue that returns handles, so that files can be opened again after a reload.
 *
 * @returns null if the browser, or a frame of another origin, has no such dialogue.
 */
export async function pickFiles(isMultiple: boolean, accept: string): Promise<readonly ChosenFile[] | null> {
  if (window.showOpenFilePicker === undefined) return null
  const types = typesOf(accept)
  try {
    const handles = await window.showOpenFilePicker({ multiple: isMultiple, ...(types && { types }) })
    const files = await Promise.all(handles.map(async (handle) => ({ handle, file: await handle.getFile() })))
    return files.map(({ handle, file }) => ({ ...plainFile(file), handle }))
  } catch (error) {
    // Its user has closed the dialogue.
    return isNamed(error, 'AbortError') ? [] : null
  }
}

/** The same for a folder; undefined if its user has closed the dialogue. */
export async function pickFolder(): Promise<FileSystemDirectoryHandle | null | undefined> {
  try {
    return (await window.showDirectoryPicker?.({ mode: 'read' })) ?? null
  } catch (error) {
    return isNamed(error, 'AbortError') ? undefined : null
  }
}

/** Types for the dialogue from the attribute `accept`; undefined for all. */
function typesOf(accept: string): { accept: Record<string, string[]> }[] | undefined {
  const names = accept.split(',').flatMap((name) => name.trim() || [])
  if (names.length === 0) return undefined
  const extensions = names.filter((name) => name.startsWith('.'))
  const types = names.filter((name) => name.includes('/'))
  return [
    {
      accept: {
        ...Object.fromEntries(types.map((type) => [type, []])),
        ...(extensions.length > 0 && { 'application/octet-stream': extensions }),
      },
    },
  ]
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof DOMException && error.name === name
}
