import { createApp } from 'vue'
import uploader from 'vue-simple-uploader'
import 'vue-simple-uploader/dist/style.css'
import { UploadPage } from './UploadPage.js'

// The cookie of the visitor, before several requests at once would each receive one.
await fetch('/check', { method: 'POST' })

createApp(UploadPage).use(uploader).mount('#app')
