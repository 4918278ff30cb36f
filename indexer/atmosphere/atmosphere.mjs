// A local atmosphere: a PLC directory and a PDS, the official ones, in one
// process on the loopback interface.
//
//   node atmosphere.mjs --data DIR [--plc-port N] [--pds-port N] [--ephemeral]
//
// Prints one line of JSON on stdout when both answer: {"plc", "pds",
// "adminPassword"}. Stops on SIGTERM, SIGINT, and when stdin ends, which is how
// it notices that its parent is gone. With --ephemeral the data directory is
// removed at the end. The servers' own warnings go to DIR/servers.log.

import './loopback.mjs'

import fs from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'

import { openState, Refusal, saveState } from './state.mjs'

const stopWithin = 5000 // milliseconds

// A parent that died closed these too: then there is nobody to tell.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

async function main() {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      'plc-port': { type: 'string', default: '0' },
      'pds-port': { type: 'string', default: '0' },
      ephemeral: { type: 'boolean', default: false },
    },
  })
  if (!values.data) {
    throw new Refusal('--data is missing: the directory that the network lives in')
  }
  const dir = path.resolve(values.data)
  const running = []
  stopWhenTold(running, values.ephemeral ? dir : null)

  const blobs = path.join(dir, 'pds', 'blobs')
  fs.mkdirSync(blobs, { recursive: true, mode: 0o700 })
  const state = await openState(dir, {
    PLC: port(values, 'plc-port'),
    PDS: port(values, 'pds-port'),
  })

  // Both servers read these when they are loaded.
  process.env.LOG_ENABLED = 'true'
  process.env.LOG_LEVEL = 'warn'
  process.env.LOG_DESTINATION = path.join(dir, 'servers.log')
  const { default: plcServer } = await import('@did-plc/server')
  const { OperationLog } = await import('./operations.mjs')

  const plc = plcServer.PlcServer.create({
    db: new OperationLog(path.join(dir, 'operations.jsonl')),
    port: state.ports.PLC,
  })
  await start('PLC', plc, state.ports.PLC)
  running.push(plc)
  const plcURL = `http://localhost:${state.ports.PLC}`

  const { default: pdsServer } = await import('@atproto/pds')
  const env = {
    ...state.secrets,
    devMode: true,
    port: state.ports.PDS,
    hostname: 'localhost',
    dataDirectory: path.join(dir, 'pds'),
    blobstoreDiskLocation: blobs,
    didPlcUrl: plcURL,
    serviceHandleDomains: ['.test'],
    inviteRequired: false,
    rateLimitsEnabled: false,
    disableSsrfProtection: true,
    crawlers: [],
  }
  const pds = await pdsServer.PDS.create(pdsServer.envToCfg(env), pdsServer.envToSecrets(env))
  await start('PDS', pds, state.ports.PDS)
  running.push(pds)
  saveState(dir, state) // not before: ports that turned out to be taken are forgotten

  const ready = {
    plc: plcURL,
    pds: pds.ctx.cfg.service.publicUrl,
    adminPassword: state.secrets.adminPassword,
  }
  process.stdout.write(JSON.stringify(ready) + '\n')
}

function port(values, name) {
  const n = Number(values[name])
  if (!Number.isInteger(n) || n < 0 || n > 65535) {
    throw new Refusal(`--${name} ${values[name]} is not a port`)
  }
  return n
}

async function start(name, server, port) {
  try {
    await server.start()
  } catch (err) {
    if (err.code === 'EADDRINUSE') {
      throw new Refusal(
        `port ${port} of the ${name} is in use: by another process, or by this network running already`,
      )
    }
    throw err
  }
}

// Stops what is running, last started first, and ends the process.
function stopWhenTold(running, ephemeralDir) {
  let stopping = false
  const stop = async () => {
    if (stopping) {
      return
    }
    stopping = true
    const removeData = () => {
      if (ephemeralDir) {
        fs.rmSync(ephemeralDir, { recursive: true, force: true, maxRetries: 3 })
      }
    }
    setTimeout(() => {
      removeData()
      process.exit(1)
    }, stopWithin)
    for (const server of running.reverse()) {
      await server.destroy()
    }
    removeData()
    process.exit(0)
  }
  const stopOrFail = () => stop().catch(fail)
  process.on('SIGTERM', stopOrFail)
  process.on('SIGINT', stopOrFail)
  process.stdin.on('end', stopOrFail)
  process.stdin.on('error', stopOrFail)
  process.stdin.resume()
}

function fail(err) {
  const text = err instanceof Refusal ? err.message : err.stack
  process.stderr.write(`${text}\n`, () => process.exit(1))
}

main().catch(fail)
