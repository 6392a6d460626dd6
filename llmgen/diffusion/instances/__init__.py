"""InstanceDiffusion's additions to a stock U-Net: UniFusion tokens, gated fusers, ScaleU, instance-masked attention.

Source: InstanceDiffusion (Wang et al., CVPR 2024).
"""
