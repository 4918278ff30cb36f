// Keeps this process on the loopback interface: it must be imported before
// anything that listens or connects. Neither server has a setting for it, both
// bind every interface, and a network for tests has no business outside.

import dns from 'node:dns'
import net from 'node:net'

const loopbackHosts = new Set(['localhost', '127.0.0.1', '::1'])

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (...args) {
  // The servers call listen(port); probes call listen({ port, host }).
  if (typeof args[0] === 'number') {
    const [port, ...rest] = args
    return listen.call(this, { port, host: '127.0.0.1' }, ...rest)
  }
  if (!loopbackHosts.has(args[0]?.host)) {
    throw new Error('refused to listen on more than the loopback interface')
  }
  return listen.apply(this, args)
}

const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  // net.connect and the HTTP clients hand the options over in a nested array.
  const options = Array.isArray(args[0]) ? args[0][0] : args[0]
  const host = typeof options === 'object' ? options.host : args[1]
  if (typeof host === 'string' && !loopbackHosts.has(host)) {
    process.nextTick(() =>
      this.destroy(new Error(`refused to connect to ${host}: not the loopback interface`)),
    )
    return this
  }
  return connect.apply(this, args)
}

// Handles and lexicons of other networks are asked for in DNS: let that fail at
// once instead of leaving the machine. The discard port answers nobody.
dns.setServers(['127.0.0.1:9'])
dns.promises.setServers(['127.0.0.1:9'])

// One of the HTTP clients obeys these and would ask a proxy for localhost.
for (const name of ['http_proxy', 'https_proxy', 'all_proxy']) {
  delete process.env[name]
  delete process.env[name.toUpperCase()]
}
