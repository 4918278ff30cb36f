// Prints axe-core, for a browser to run in a page.
import axe from 'axe-core'

process.stdout.write(axe.source)
