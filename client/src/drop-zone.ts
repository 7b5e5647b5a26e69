/** Callbacks of the drop zone. */
export interface DropEvents {
  dropped(files: File[]): void
  /** A folder was dropped; browsers pass folders as unreadable files. */
  folderDropped(): void
}

/** Accepts files dropped anywhere on the page; `zone` is highlighted meanwhile. */
export function acceptDrops(zone: HTMLElement, events: DropEvents): void {
  // Entering a child fires `dragleave` on its parent: the files are out when there were as many leaves as enters.
  let depth = 0
  const show = (change: number): void => {
    depth = Math.max(0, depth + change)
    zone.classList.toggle('over', depth > 0)
  }
  window.addEventListener('dragenter', (event) => {
    if (hasFiles(event)) show(1)
  })
  window.addEventListener('dragleave', (event) => {
    if (hasFiles(event)) show(-1)
  })
  window.addEventListener('dragover', (event) => {
    // By default, the browser would open the file.
    if (hasFiles(event)) event.preventDefault()
  })
  window.addEventListener('drop', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    show(-depth)
    passOn(event.dataTransfer, events)
  })
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') ?? false
}

function passOn(transfer: DataTransfer | null, events: DropEvents): void {
  const items = [...(transfer?.items ?? [])].filter((item) => item.kind === 'file')
  const plain = items.filter((item) => item.webkitGetAsEntry()?.isDirectory !== true)
  if (plain.length < items.length) events.folderDropped()
  const files = plain.map((item) => item.getAsFile()).filter((file) => file !== null)
  if (files.length > 0) events.dropped(files)
}
