export default function Page() {
  return 'Hello from the application.'
}
