/* theme.ts - runs before the first paint: the theme the reader chose, or the system's. */
const chosen = localStorage.getItem('theme');
if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen;
