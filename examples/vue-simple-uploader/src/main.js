import { createApp } from 'vue'
import { UploadPage } from './UploadPage.js'

// The cookie of the visitor, before several requests at once would each receive one.
await fetch('/check', { method: 'POST' })

createApp(UploadPage).mount('#app')
