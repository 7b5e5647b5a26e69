/** What the drop zone passes on. */
export interface DropEvents {
  dropped(files: File[]): void
  /** Something was dropped that is a folder; browsers hand folders over as files that cannot be read. */
  folderDropped(): void
}

/** Takes files that are dropped anywhere on the page; `zone` shows that it would. */
export function acceptDrops(zone: HTMLElement, events: DropEvents): void {
  // Moving over a child leaves the parent: only as many leaves as enters mean that the files are out again.
  let depth = 0
  const show = (change: number): void => {
    depth = Math.max(0, depth + change)
    zone.classList.toggle('over', depth > 0)
  }
  window.addEventListener('dragenter', (event) => {
    if (bringsFiles(event)) show(1)
  })
  window.addEventListener('dragleave', (event) => {
    if (bringsFiles(event)) show(-1)
  })
  window.addEventListener('dragover', (event) => {
    // Without this the browser would open the file instead.
    if (bringsFiles(event)) event.preventDefault()
  })
  window.addEventListener('drop', (event) => {
    if (!bringsFiles(event)) return
    event.preventDefault()
    show(-depth)
    takeIn(event.dataTransfer, events)
  })
}

function bringsFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') ?? false
}

function takeIn(transfer: DataTransfer | null, events: DropEvents): void {
  const items = [...(transfer?.items ?? [])].filter((item) => item.kind === 'file')
  const plain = items.filter((item) => item.webkitGetAsEntry()?.isDirectory !== true)
  if (plain.length < items.length) events.folderDropped()
  const files = plain.map((item) => item.getAsFile()).filter((file) => file !== null)
  if (files.length > 0) events.dropped(files)
}
