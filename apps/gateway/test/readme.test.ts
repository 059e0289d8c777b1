import { testReadme } from '@perf/testkit';

testReadme(new URL('../README.md', import.meta.url));
