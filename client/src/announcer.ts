import { byId, setText } from './dom.ts'

/** Says a sentence to those who listen to the page instead of looking at it. */
export function announce(sentence: string): void {
  setText(byId('announcer', HTMLElement), sentence)
}
