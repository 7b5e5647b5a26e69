/** The folder under an nginx's own whose files it serves at `/`. */
export const NGINX_ROOT = 'files'

/** The least that nginx needs to serve files on a port, and nothing outside its folder. */
export function nginxConfig(port: number, folder: string): string {
  // Started as root, nginx would change to a user that may not read the bench's folder.
  const user = process.getuid?.() === 0 ? 'user root;\n' : ''
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `${user}daemon off;
worker_processes 1;
pid "${folder}/nginx.pid";
error_log stderr error;
events {
  worker_connections 256;
}
http {
  access_log off;
  sendfile on;
  keepalive_requests 100000;
${temporary.map((name) => `  ${name}_temp_path "${folder}/${name}";`).join('\n')}
  server {
    listen 127.0.0.1:${port};
    root "${folder}/${NGINX_ROOT}";
  }
}
`
}
