// Checks all lexicons and example records with the reference implementation and
// prints {"lexicons": n, "verdicts": {"valid/<nsid>/<name>.json": null or "error"}}.
// A lexicon that is refused ends the program.

import { readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Lexicons, jsonToLex, parseLexiconDoc } from '@atproto/lexicon'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

const jsonFiles = (folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

const lexicons = new Lexicons()
const documents = [...jsonFiles('com'), ...jsonFiles('fund')]
for (const path of documents) {
  try {
    lexicons.add(parseLexiconDoc(readJson(path)))
  } catch (err) {
    throw new Error(`${relative(root, path)} is refused`, { cause: err })
  }
}

const verdict = (path) => {
  const collection = basename(dirname(path))
  try {
    lexicons.assertValidRecord(collection, jsonToLex(readJson(path).record))
    return null
  } catch (err) {
    return err.message
  }
}

const examples = join(root, 'examples')
const verdicts = Object.fromEntries(
  jsonFiles('examples').filter((path) => dirname(path) !== examples).map((path) => [relative(examples, path), verdict(path)]),
)
console.log(JSON.stringify({ lexicons: documents.length, verdicts }))
