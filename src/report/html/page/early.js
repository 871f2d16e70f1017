// Before the first paint: the page is drawn by scripts, all at once, and in the theme that was chosen last.
document.documentElement.classList.add("js", "drawing");
try {
  const theme = localStorage.getItem("gather-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* A page without storage forgets the theme. */ }
