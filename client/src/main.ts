import './styles/tokens.css'
import './styles/controls.css'
import './styles/page.css'
import './styles/rows.css'
import { announce } from './announcer.ts'
import { byId } from './dom.ts'
import { acceptDrops } from './drop-zone.ts'
import { t } from './i18n/language.ts'
import { isTextKey } from './i18n/texts.ts'
import { ListView } from './list-view.ts'
import { showTexts } from './page-texts.ts'
import { startSession } from './session.ts'
import { SignInView } from './sign-in-view.ts'

const input = byId('file-input', HTMLInputElement)

showTexts(isTextKey, t)
const { list } = new ListView(() => input.click())
const signIn = new SignInView()
startSession()

input.addEventListener('change', () => {
  const files = [...(input.files ?? [])]
  // Without this, choosing the same file again would fire no event.
  input.value = ''
  if (signIn.admits()) void list.add(files)
})

acceptDrops(byId('drop', HTMLElement), {
  dropped: (files) => {
    if (signIn.admits()) void list.add(files)
  },
  folderDropped: () => announce(t('said.folder')),
})
