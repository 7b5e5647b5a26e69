import { byId, setText } from './dom.ts'

/** Announces a sentence to screen readers. */
export function announce(sentence: string): void {
  setText(byId('announcer', HTMLElement), sentence)
}
