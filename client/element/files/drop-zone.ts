/** Callbacks of a drop zone. */
export interface DropEvents {
  /** Files are over the zone, or no longer. */
  over(isOver: boolean): void
  dropped(transfer: DataTransfer): void
}

/** Accepts files that are dropped on, or pasted into, a part of the page or all of it, until `left` aborts. */
export function acceptDrops(zone: HTMLElement | Window, events: DropEvents, left: AbortSignal): void {
  // Entering a child fires `dragleave` on its parent: the files are out when there were as many leaves as enters.
  let depth = 0
  const show = (change: number): void => {
    depth = Math.max(0, depth + change)
    events.over(depth > 0)
  }
  const on = (type: 'dragenter' | 'dragleave' | 'dragover' | 'drop', act: (event: DragEvent) => void): void => {
    const listener = (event: Event): void => {
      if (event instanceof DragEvent && hasFiles(event.dataTransfer)) act(event)
    }
    zone.addEventListener(type, listener, { signal: left })
  }
  on('dragenter', () => show(1))
  on('dragleave', () => show(-1))
  // By default, the browser would open the file.
  on('dragover', (event) => event.preventDefault())
  on('drop', (event) => {
    event.preventDefault()
    show(-depth)
    if (event.dataTransfer !== null) events.dropped(event.dataTransfer)
  })
  const paste = (event: Event): void => {
    if (!(event instanceof ClipboardEvent) || !hasFiles(event.clipboardData) || isText(event)) return
    event.preventDefault()
    if (event.clipboardData !== null) events.dropped(event.clipboardData)
  }
  zone.addEventListener('paste', paste, { signal: left })
}

function hasFiles(transfer: DataTransfer | null): boolean {
  return transfer?.types.includes('Files') ?? false
}

/** Whether something is pasted into a field for text. */
function isText(event: Event): boolean {
  const [target] = event.composedPath()
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || (target.matches('input, textarea') && !target.matches('[type=file]'))
}
