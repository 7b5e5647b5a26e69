import { createRoot } from 'react-dom/client'
import { Uploads } from './Uploads.jsx'

createRoot(document.querySelector('#root')).render(<Uploads />)
