import type { Update } from './live.ts'

/** A section of the page. */
export interface View {
  readonly root: HTMLElement
  /** Shows what has changed, and texts in another language. */
  update(update: Update): void
  /** Shows everything again, in the current language. */
  translate(): void
  /** Ends what runs in the background; the view is not used afterwards. */
  close(): void
}

/** Focuses the heading of a view, so that screen readers begin there, and keys scroll there. */
export function focusHeading(root: HTMLElement): void {
  const heading = root.querySelector('h1')
  heading?.setAttribute('tabindex', '-1')
  heading?.focus({ preventScroll: true })
}
