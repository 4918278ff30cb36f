// What a network keeps besides its servers' own files: its ports, because DID
// documents carry the PDS's address, and its secrets, because logins and DIDs
// are signed with them.

import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'

// A mistake of the caller: told in its sentence alone, without a stack.
export class Refusal extends Error {}

// Reads the state of a data directory, or makes one that saveState has to keep.
// A port of 0 is the stored one, or a free one when nothing is stored.
export async function openState(dir, ports) {
  const file = stateFile(dir)
  if (fs.existsSync(file)) {
    const state = JSON.parse(fs.readFileSync(file, 'utf8'))
    for (const [name, port] of Object.entries(ports)) {
      if (port !== 0 && port !== state.ports[name]) {
        throw new Refusal(
          `${dir} holds a network whose ${name} is on port ${state.ports[name]}, and its DIDs name that address: ` +
            `ask for port ${state.ports[name]} or 0, not ${port}, or take another data directory`,
        )
      }
    }
    return state
  }
  const state = {
    ports: {},
    secrets: {
      plcRotationKeyK256PrivateKeyHex: randomBytes(32).toString('hex'),
      dpopSecret: randomBytes(32).toString('hex'),
      jwtSecret: randomBytes(32).toString('hex'),
      adminPassword: randomBytes(16).toString('hex'),
    },
  }
  for (const [name, port] of Object.entries(ports)) {
    state.ports[name] = port !== 0 ? port : await freePort(Object.values(state.ports))
  }
  return state
}

// Keeps the state, whole or not at all: half a state would be a network without
// its keys.
export function saveState(dir, state) {
  const file = stateFile(dir)
  fs.writeFileSync(file + '.tmp', JSON.stringify(state, null, 2) + '\n', { mode: 0o600 })
  fs.renameSync(file + '.tmp', file)
}

function stateFile(dir) {
  return path.join(dir, 'network.json')
}

// A port that nobody listens on, below the range that outgoing connections get
// theirs from: a restart must find it free again.
async function freePort(taken) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(20000, 30000)
    if (taken.includes(port)) {
      continue
    }
    const probe = net.createServer()
    try {
      probe.listen({ port, host: '127.0.0.1' })
      await once(probe, 'listening')
    } catch (err) {
      if (err.code === 'EADDRINUSE') {
        continue
      }
      throw err
    }
    probe.close()
    await once(probe, 'close')
    return port
  }
  throw new Refusal('no free port between 20000 and 30000')
}
