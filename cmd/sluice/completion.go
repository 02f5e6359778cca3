package main

import "github.com/spf13/cobra"

func (a *app) completionCommand(root *cobra.Command) *cobra.Command {
	shells := map[string]func() error{
		"bash":       func() error { return root.GenBashCompletionV2(a.out, true) },
		"zsh":        func() error { return root.GenZshCompletion(a.out) },
		"fish":       func() error { return root.GenFishCompletion(a.out, true) },
		"powershell": func() error { return root.GenPowerShellCompletionWithDesc(a.out) },
	}
	return &cobra.Command{
		Use: "completion SHELL", Short: "Print the completion script of a shell",
		Long:      "Print the script that completes sluice's commands and flags in bash, zsh, fish or powershell.\nIn bash: source <(sluice completion bash)",
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE:      func(_ *cobra.Command, args []string) error { return shells[args[0]]() },
	}
}
