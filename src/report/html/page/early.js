// Before the first paint: the page is drawn by scripts, and in the theme that was chosen last.
document.documentElement.classList.add("js");
try {
  const theme = localStorage.getItem("gather-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* A page without storage forgets the theme. */ }
