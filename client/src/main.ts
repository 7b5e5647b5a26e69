import './styles/tokens.css'
import './styles/page.css'
import './styles/rows.css'
import { announce } from './announcer.ts'
import { byId } from './dom.ts'
import { acceptDrops } from './drop-zone.ts'
import { t } from './i18n/language.ts'
import { ListView } from './list-view.ts'
import { showTexts } from './page-texts.ts'

const input = byId('file-input', HTMLInputElement)

showTexts()
const { list } = new ListView(() => input.click())

input.addEventListener('change', () => {
  const files = [...(input.files ?? [])]
  // Without this, choosing the same file again would fire no event.
  input.value = ''
  void list.add(files)
})

acceptDrops(byId('drop', HTMLElement), {
  dropped: (files) => void list.add(files),
  folderDropped: () => announce(t('said.folder')),
})
